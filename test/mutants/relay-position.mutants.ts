// One-line bugs in what ingest knows of relays: each has to turn a test red.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Mutant, mutantVariable } from './mutant-plugin.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const position = 'lib/ingest/relay-position.ts';
const mutants: Readonly<Record<string, Mutant>> = {
  'drops all that is below the last': {
    file: position,
    from: "return this.#times.isBefore(taken.sinceUs) ? 'stale' : 'take';",
    to: "return 'stale';",
  },
  'drops nothing by its time': {
    file: position,
    from: "return this.#times.isBefore(taken.sinceUs) ? 'stale' : 'take';",
    to: "return 'take';",
  },
  'confirms an odd number': { file: position, from: 'run.frames >= leapFrames', to: 'run.frames >= 1' },
  'never confirms a leap': { file: position, from: 'run.frames >= leapFrames', to: 'run.frames >= 1e9' },
  'follows lower numbers at once': {
    file: position,
    from: 'run.evidence >= fallFrames',
    to: 'run.evidence >= 1',
  },
  'never follows lower numbers': {
    file: position,
    from: 'run.evidence >= fallFrames',
    to: 'run.evidence >= 1e9',
  },
  'takes repetitions for evidence': { file: position, from: 'if (isSame) run.evidence = 0;', to: '' },
  'forgets at the first refusal': { file: position, from: 'this.#refusals >= refusalsMin', to: 'true' },
  'forgets by count alone': {
    file: position,
    from: ' && nowMs - this.#refusedSinceMs >= msMin',
    to: '',
  },
  'remembers refusals for ever': { file: position, from: 'this.#refusals = this.#skip = 0;', to: '' },
  'knows a frame under any number': {
    file: position,
    from: 'return this.#taken.seq === seq >>> 0 && this.#taken.numbering === this.#numbering;',
    to: 'return this.#taken.numbering === this.#numbering;',
  },
  'compares nothing after a change of relay': {
    file: position,
    from: 'this.#overlapFrames = nearUs > overlapUntilUs ? 0 : this.#overlapFrames - 1;',
    to: 'this.#overlapFrames = 0;',
  },
  'does not go on comparing after a restart': {
    file: position,
    from: 'if (times.overlapUntilUs !== undefined) this.#overlapFrames = takenFramesMin;',
    to: '',
  },
  'forgets what earlier processes took': {
    file: 'lib/ingest/earlier-frames.ts',
    from: 'noteEvents(slice, this.#taken, Number.NaN);',
    to: '',
  },
  'steps over a message at its first end': {
    file: position,
    from: '++this.#ends < endsMin',
    to: '++this.#ends < 1',
  },
  'steps over ever more though frames come': {
    file: position,
    from: 'if (this.#endedAt !== this.#confirmed) this.#ends = 0;',
    to: '',
  },
  'tells no gap': {
    file: position,
    from: "else if (isLeap) this.#tell('relay_gap', run.first);",
    to: '',
  },
  'lets go of the older half too early': {
    file: 'lib/ingest/taken-frames.ts',
    from: 'half = half === this.#young ? this.#old : undefined;',
    to: 'half = undefined;',
  },
  'goes on live at another relay': {
    file: 'lib/ingest/place-search.ts',
    from: 'return place.timeUs > this.#targetUs ? this.#tooLate(place) : this.#earlyEnough(place);',
    to: 'return true;',
  },
};

/** The tests that need no daemon, and for what they cannot see those that do. */
const pure = ['relay-position.test.ts', 'relay-position-random.test.ts', 'place-search.test.ts'];
const whole = ['relay-change.long.ts'];

function run(mutant: Mutant | undefined, names: readonly string[]): number | null {
  const suite = names.map((name) => `test/ingest/${name}`);
  const env = { ...process.env, RELAY_SEED: '4' };
  if (mutant !== undefined) Object.assign(env, { [mutantVariable]: JSON.stringify(mutant) });
  const command = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    'unit',
    '--project',
    'long',
    '--bail',
    '1',
    ...suite,
  ];
  return spawnSync(process.execPath, command, { cwd: root, env, stdio: 'ignore' }).status;
}

test('without a mutant all is green', () => {
  expect(run(undefined, [...pure, ...whole])).toBe(0);
});

test.each(Object.entries(mutants))('%s', (_name, mutant) => {
  expect(readFileSync(root + mutant.file, 'utf8').split(mutant.from).length).toBe(2);
  expect(run(mutant, mutant.file === 'lib/ingest/earlier-frames.ts' ? whole : pure)).not.toBe(0);
});
