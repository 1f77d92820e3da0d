import { expect, test } from 'vitest';
import { type AccountState, type ChainLink, nextStep } from '../../lib/verify/chain.ts';
import type { CommitFinding } from '../../lib/verify/commit-check.ts';

const nowUs = 1_800_000_000_000_000;
const root = (fill: number) => new Uint8Array(32).fill(fill);
const none = new Uint8Array(0);

function link(changes: Partial<ChainLink>): ChainLink {
  return { rev: '', revTimeUs: nowUs, data: none, since: '', prevData: none, isSync: false, ...changes };
}

/** Takes one commit after the other; returns the reasons. */
function reasonsOf(...steps: readonly (readonly [CommitFinding, Partial<ChainLink>])[]): string[] {
  let state: AccountState | undefined;
  return steps.map(([finding, changes]) => {
    const step = nextStep(state, finding, link(changes), nowUs);
    state = step.state;
    return step.reason;
  });
}

const first = ['whole', { rev: 'a', data: root(1), since: '9', prevData: root(0) }] as const;
const second = ['whole', { rev: 'b', data: root(2), since: 'a', prevData: root(1) }] as const;
const third = ['whole', { rev: 'c', data: root(3), since: 'b', prevData: root(2) }] as const;

test('commits that go on from one another', () => {
  expect(reasonsOf(first, second, third)).toEqual(['first_sight', 'continuous', 'continuous']);
});

test('a commit that is missing, and where it goes on', () => {
  const fourth = ['whole', { rev: 'd', data: root(4), since: 'c', prevData: root(3) }] as const;
  expect(reasonsOf(first, third, fourth)).toEqual(['first_sight', 'gap', 'continuous']);
});

test('one that comes again, and an older one', () => {
  expect(reasonsOf(first, second, second, first, third)).toEqual([
    ...['first_sight', 'continuous', 'repeat', 'repeat', 'continuous'],
  ]);
});

test('a history that forks', () => {
  const sameRev = ['whole', { ...second[1], data: root(9) }] as const;
  const otherPast = ['whole', { rev: 'c', data: root(9), since: 'a', prevData: root(1) }] as const;
  const otherTree = ['whole', { ...third[1], prevData: root(8) }] as const;
  const anew = ['whole', { rev: 'c', data: root(9) }] as const;
  for (const fork of [sameRev, otherPast, otherTree, anew])
    expect(reasonsOf(first, second, fork).at(-1)).toBe('fork');
  // The one that came first stays.
  expect(reasonsOf(first, second, sameRev, third).at(-1)).toBe('continuous');
});

test('what could not be checked is no gap, and what is refuted is nothing', () => {
  const unknown = ['key_unknown', {}] as const;
  expect(reasonsOf(first, unknown, third)).toEqual(['first_sight', 'key_unknown', 'after_unchecked']);
  expect(reasonsOf(first, ['bad_signature', {}], second)).toEqual([
    'first_sight',
    'bad_signature',
    'continuous',
  ]);
  expect(reasonsOf(first, ['unreadable', {}], third).at(-1)).toBe('gap');
  expect(reasonsOf(unknown, first)).toEqual(['key_unknown', 'first_sight']);
});

test('a commit that is authentic and not complete is gone on from', () => {
  const partial = ['missing_blocks', second[1]] as const;
  expect(reasonsOf(first, partial, third)).toEqual(['first_sight', 'missing_blocks', 'continuous']);
});

test('a revision from the future holds nothing up', () => {
  const ahead = (us: number) => ['whole', { ...second[1], revTimeUs: nowUs + us }] as const;
  expect(reasonsOf(first, ahead(300_000_001), second).slice(1)).toEqual(['future_rev', 'continuous']);
  expect(reasonsOf(first, ahead(300_000_000))[1]).toBe('continuous');
});

test('a sync that changes nothing, one that does, and commits after it', () => {
  const same = ['whole', { rev: 'ab', data: root(1), isSync: true }] as const;
  const after = ['whole', { ...second[1], since: 'ab' }] as const;
  expect(reasonsOf(first, same, after)).toEqual(['first_sight', 'continuous', 'continuous']);
  const other = ['whole', { rev: 'ab', data: root(7), isSync: true }] as const;
  const afterOther = ['whole', { ...after[1], prevData: root(7) }] as const;
  expect(reasonsOf(first, other, afterOther)).toEqual(['first_sight', 'gap', 'continuous']);
  expect(reasonsOf(same)).toEqual(['first_sight']);
});

test('a state owns its bytes', () => {
  const data = root(1);
  const { state } = nextStep(undefined, 'whole', link({ rev: 'a', data }), nowUs);
  data.fill(0);
  expect(state?.data).toEqual(root(1));
});
