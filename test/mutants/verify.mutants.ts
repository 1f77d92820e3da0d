// One-line bugs in the check of commits: each has to turn a test red.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Mutant, mutantVariable } from './mutant-plugin.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const check = 'lib/verify/commit-check.ts';
const tree = 'lib/verify/partial-tree.ts';
const node = 'lib/verify/tree-node.ts';
const reader = 'lib/verify/tree-reader.ts';
const mutants: Readonly<Record<string, Mutant>> = {
  'takes any signature': { file: check, from: "if (finding !== 'valid') return finding;", to: '' },
  'takes high s': {
    file: 'lib/verify/signature.ts',
    from: "if (isHighS(key.curve, signature)) return 'high_s';",
    to: '',
  },
  'takes a signature of any length': {
    file: 'lib/verify/signature.ts',
    from: "if (signature.length !== signatureBytes) return 'bad_signature';",
    to: '',
  },
  'takes another account': { file: check, from: "return 'wrong_did';", to: 'return undefined;' },
  'takes another revision': { file: check, from: "? undefined : 'wrong_rev'", to: '? undefined : undefined' },
  'takes another commit': { file: check, from: "return 'wrong_commit';", to: ';' },
  'takes records that are not in the tree': { file: check, from: "return 'op_not_in_tree';", to: ';' },
  'takes deletions of what is there': {
    file: check,
    from: "if (isDelete && isThere) return 'deleted_in_tree';",
    to: '',
  },
  'takes an op twice': { file: check, from: "return 'duplicate_path';", to: ';' },
  'takes blocks that are missing for right': {
    file: check,
    from: 'if (doubt !== undefined) return doubt;',
    to: '',
  },
  'lets one missing block hide all ops': {
    file: check,
    from: 'stop ??= error;\n        continue;',
    to: 'throw error;',
  },
  'undoes nothing': {
    file: check,
    from: "return this.#tree.undoesTo(this.#undoings, before) ? 'whole' : 'incomplete';",
    to: "return 'whole';",
  },
  'undoes no first commit': { file: check, from: "? 'whole' : 'legacy'", to: "? 'whole' : 'whole'" },
  'calls odd forms commits': { file: check, from: "form === 'odd' || ", to: '' },
  'leaves sig in the signed bytes': {
    file: 'lib/verify/commit-view.ts',
    from: 'this.#scratch[0] = mapOfFive;',
    to: '',
  },
  'takes a longer object': {
    file: 'lib/verify/commit-view.ts',
    from: ' && cursor.at === cursor.end',
    to: '',
  },
  'joins nothing': { file: tree, from: 'isJoined = true;', to: '' },
  'puts nothing in': {
    file: tree,
    from: 'if (edit.isThere || edit.height < level) continue;',
    to: 'continue;',
  },
  'does not raise the root': { file: tree, from: 'level < top; level++', to: 'level < 0; level++' },
  'keeps roots without a key': { file: tree, from: 'if (node.entries.length > 0) break;', to: 'break;' },
  'thinks of no more roots': { file: tree, from: 'const keylessMax = 16;', to: 'const keylessMax = 0;' },
  'takes keys out of order': {
    file: node,
    from: 'keyStart + prefix, before) <= 0)',
    to: 'keyStart + prefix, before) <= -1e9)',
  },
  'takes any prefix': { file: node, from: 'prefix > keys.length - keyStart || ', to: '' },
  'takes keys of any length': {
    file: node,
    from: 'const keyBytesMax = 1024;',
    to: 'const keyBytesMax = 1e9;',
  },
  'takes more behind a node': { file: node, from: ' || cursor.at !== cursor.end', to: '' },
  'takes nodes out of place': { file: reader, from: 'if (entries.length === 0) return;', to: 'return;' },
  'goes down for ever': { file: reader, from: 'if (depth > depthMax) throw tooDeep;', to: '' },
  'goes on for ever': { file: reader, from: 'if (this.#steps > stepsMax) throw tooLarge;', to: '' },
  'reads nodes of any width': {
    file: reader,
    from: 'export const entriesMax = 1024;',
    to: 'export const entriesMax = 1e9;',
  },
  'goes on from anything': {
    file: 'lib/verify/chain.ts',
    from: "if (isFrom) return 'continuous';",
    to: "return 'continuous';",
  },
  'goes on from what is refuted': {
    file: 'lib/verify/chain.ts',
    from: 'if (!isSigned) {',
    to: "if (!isSigned && finding !== 'bad_signature') {",
  },
  'knows no repeats': { file: 'lib/verify/chain.ts', from: 'link.rev <= state.rev', to: 'false' },
  'believes in the future': {
    file: 'lib/verify/chain.ts',
    from: 'link.revTimeUs > nowUs + futureUsMax',
    to: 'false',
  },
  'calls what was unchecked a gap': {
    file: 'lib/verify/chain.ts',
    from: "if (state.hasUnchecked) return 'after_unchecked';",
    to: '',
  },
};

function run(mutant: Mutant | undefined): number | null {
  const names = ['interop', 'forgeries', 'hostile-trees', 'chain', 'verifying-key'];
  const suite = names.map((name) => `test/verify/${name}.test.ts`);
  const env = { ...process.env };
  if (mutant !== undefined) Object.assign(env, { [mutantVariable]: JSON.stringify(mutant) });
  const command = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', '--bail', '1', ...suite];
  return spawnSync(process.execPath, command, { cwd: root, env, stdio: 'ignore' }).status;
}

test('without a mutant all is green', () => {
  expect(run(undefined)).toBe(0);
});

test.each(Object.entries(mutants))('%s', (_name, mutant) => {
  expect(readFileSync(root + mutant.file, 'utf8').split(mutant.from).length).toBe(2);
  expect(run(mutant)).not.toBe(0);
});
