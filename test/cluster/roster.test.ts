import { expect, test } from 'vitest';
import { type NodeNote, Roster } from '../../lib/cluster/roster.ts';
import { FakeEngine } from './fake-engine.ts';

function note(name: string, more: Partial<NodeNote> = {}): NodeNote {
  const usual = { role: 'serve', isWriting: false, isCaughtUp: true, lastTimeUs: 5, pauses: 0 } as const;
  return { node: name.repeat(12).slice(0, 12), ...usual, longestPauseMs: 0, ...more };
}

test('nodes hear of each other, and forget one that says that it goes', async () => {
  const engine = new FakeEngine();
  const [one, other] = [
    note('a'),
    note('b', { role: 'ingest', isWriting: true, pauses: 2, longestPauseMs: 1_500 }),
  ];
  const rosters = [one, other].map((own) => new Roster(engine, () => own));
  for (const { nodes } of rosters) expect(nodes).toHaveLength(1);
  await expect
    .poll(() => rosters.map(({ nodes }) => nodes))
    .toEqual([
      [one, other],
      [one, other],
    ]);
  rosters[1].stop();
  expect(rosters[0].nodes).toEqual([one]);
  rosters[0].stop();
});

test('what is said by anybody else is not believed, and of very many the newest are kept', () => {
  const engine = new FakeEngine();
  const own = note('a');
  const roster = new Roster(engine, () => own);
  for (const text of [
    '',
    'null',
    '{}',
    '{"node":"<b>"}',
    JSON.stringify({ ...note('c'), role: 'king' }),
    '[1',
  ])
    engine.tell(text);
  engine.tell(JSON.stringify({ ...note('c'), lastTimeUs: 'x' }));
  expect(roster.nodes).toEqual([own]);
  for (let at = 0; at < 200; at++)
    engine.tell(JSON.stringify({ ...own, node: at.toString(16).padStart(12, '0') }));
  expect(roster.nodes).toHaveLength(64);
  expect(roster.nodes.map(({ node }) => node)).toContain((199).toString(16).padStart(12, '0'));
  roster.stop();
});
