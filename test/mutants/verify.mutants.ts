// One-line bugs in the check of commits, and in what finds keys: each has to turn a test red.

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
const resolver = 'lib/identity/key-resolver.ts';
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
  'trusts any engine': {
    file: 'lib/verify/signature.ts',
    from: 'knowsRightFromWrong(verifySecp256k1) ?',
    to: 'true ?',
  },
  'believes what has no binary': {
    file: 'lib/verify/signature.ts',
    from: "import('secp256k1/bindings.js')",
    to: "import('secp256k1')",
  },
  'believes the first no': {
    file: 'lib/verify/signature.ts',
    from: 'if (this.#verify(this.#digest, key.uncompressed(), signature)) return true;',
    to: 'return this.#verify(this.#digest, key.uncompressed(), signature);',
  },
  'takes a neighbour for the key': {
    file: reader,
    from: 'this.isFound = false;\n    return low;',
    to: 'return low;',
  },
  'takes another account': { file: check, from: "return 'wrong_did';", to: 'return undefined;' },
  'takes another revision': { file: check, from: "? undefined : 'wrong_rev'", to: '? undefined : undefined' },
  'takes another commit': { file: check, from: "return 'wrong_commit';", to: ';' },
  'takes records that are not in the tree': { file: check, from: "objection = 'op_not_in_tree';", to: ';' },
  'takes deletions of what is there': {
    file: check,
    from: "objection = 'deleted_in_tree';",
    to: ';',
  },
  'takes an op twice': { file: check, from: "return 'duplicate_path';", to: ';' },
  'takes the first op on a path for what is there': {
    file: check,
    from: 'this.#isRepeated = true;\n      } else if (objection !== undefined) {',
    to: 'this.#isRepeated = true;\n      } if (objection !== undefined) {',
  },
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
    from: "return this.#tree.undoesTo(this.#ops, before) ? 'whole' : 'incomplete';",
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
  'raises what is not there': {
    file: tree,
    from: 'if (root === undefined) level = top;',
    to: 'level = Math.max(level, 0);',
  },
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
  'reads any amount of keys': {
    file: reader,
    from: 'if (this.keys.length > keysBytesMax) throw tooLarge;',
    to: '',
  },
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
  'follows a stranger anywhere': {
    file: 'lib/identity/document-request.ts',
    from: 'addresses.filter(({ address }) => isPublicAddress(address))',
    to: 'addresses',
  },
  'takes addresses for names': {
    file: 'lib/identity/document-request.ts',
    from: 'if (isPublicOnly && addressIn(url.hostname) !== undefined)',
    to: 'if (false)',
  },
  'reads answers of any length': {
    file: 'lib/identity/document-request.ts',
    from: 'if (bytes > bytesMax)',
    to: 'if (bytes > 1e9)',
  },
  'takes private addresses for public': {
    file: 'lib/ip-address.ts',
    from: "=== 'unicast'",
    to: "!== 'loopback'",
  },
  'takes another account’s document': {
    file: 'lib/identity/did-document.ts',
    from: "if (fieldOf(document, 'id') !== did) return 'wrong_did';",
    to: '',
  },
  'takes another’s key': {
    file: 'lib/identity/did-document.ts',
    from: " || fieldOf(method, 'controller') !== did",
    to: '',
  },
  'takes what was undone': {
    file: 'lib/identity/audit-log.ts',
    from: 'if (entry?.nullified === true) continue;',
    to: '',
  },
  'forgets when a key ended': {
    file: 'lib/identity/audit-log.ts',
    from: ' || untilMs + leewayMs <= timeMs',
    to: '',
  },
  'goes on in a pause': {
    file: 'lib/identity/lookup-desk.ts',
    from: 'if (nowMs < this.#nextMs) {',
    to: 'if (false) {',
  },
  'lets anything wait': {
    file: 'lib/identity/lookup-desk.ts',
    from: 'this.#waiting.length >= this.#limits.waitingMax || ',
    to: '',
  },
  'asks all at once': {
    file: 'lib/identity/lookup-desk.ts',
    from: 'if (this.#running >= this.#limits.concurrentMax) return;',
    to: '',
  },
  'believes a key that is in doubt': {
    file: resolver,
    from: 'key === undefined || isDoubtful',
    to: 'key === undefined',
  },
  'forgets doubts in a restart': { file: resolver, from: 'await this.#store?.delete(did);\n  }', to: '}' },
  'keeps a key for ever': {
    file: resolver,
    from: 'const keyAgeMsMax = 24 * 3_600_000;',
    to: 'const keyAgeMsMax = 1e15;',
  },
  'asks for what is not there': { file: resolver, from: 'doubled(absentMs, failures)', to: '0' },
  'asks who does not answer': { file: resolver, from: 'doubled(failedMs, failures)', to: '0' },
  'asks again who has just not answered': {
    file: resolver,
    from: 'if (lack !== undefined) return lack;\n    await this.doubt(did);',
    to: 'await this.doubt(did);',
  },
  'takes what a cache had for new': {
    file: resolver,
    from: 'readMs: askedMs - ageMs',
    to: 'readMs: askedMs',
  },
  'takes a commit to be of a time to come': {
    file: resolver,
    from: 'Math.min(claimedMs, seenMs)',
    to: 'claimedMs',
  },
  'asks once for each who wants to know': {
    file: resolver,
    from: 'this.#looking.set(did, looking);',
    to: '',
  },
  'takes a key of then for good': {
    file: 'cmd/verify/recording-check.ts',
    from: 'else this.#earlierKeys++;',
    to: 'else {\nthis.#earlierKeys++;\nthis.#remember(this.#known, did, key, keysMax);\n}',
  },
  'believes a key that was read before the frame came': {
    file: resolver,
    from: 'return readMs >= sinceMs && readMs <= this.#nowMs();',
    to: 'return readMs <= this.#nowMs();',
  },
  'reads a key again and again': {
    file: resolver,
    from: 'return readMs >= sinceMs && readMs <= this.#nowMs();',
    to: 'return false;',
  },
};

const ofCommits = ['interop', 'forgeries', 'hostile-trees', 'chain', 'verifying-key', 'signature'].map(
  (name) => `verify/${name}`,
);
const ofKeys = ['ip-address', 'identity/', 'cmd/verify/', 'verifier/appeals'];

function run(mutant: Mutant | undefined): number | null {
  const names =
    mutant === undefined
      ? [...ofCommits, ...ofKeys]
      : mutant.file.startsWith('lib/verify/')
        ? ofCommits
        : ofKeys;
  const suite = names.map((name) => `test/${name}`);
  const env = { ...process.env };
  if (mutant !== undefined) Object.assign(env, { [mutantVariable]: JSON.stringify(mutant) });
  const projects = ['--project', 'unit', '--project', 'unit-shared'];
  const command = ['node_modules/vitest/vitest.mjs', 'run', ...projects, '--bail', '1', ...suite];
  return spawnSync(process.execPath, command, { cwd: root, env, stdio: 'ignore' }).status;
}

test('without a mutant all is green', () => {
  expect(run(undefined)).toBe(0);
});

test.each(Object.entries(mutants))('%s', (_name, mutant) => {
  expect(readFileSync(root + mutant.file, 'utf8').split(mutant.from).length).toBe(2);
  expect(run(mutant)).not.toBe(0);
});
