// One-line bugs in what faces strangers: each has to turn the fuzzer red within seconds.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Mutant, mutantVariable } from './mutant-plugin.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Of readers, which the fuzzer has in its own process. */
const ofReaders: Readonly<Record<string, Mutant>> = {
  'takes a semicolon': { file: 'lib/wire/query-pairs.ts', from: 'code === semicolon', to: 'code === -1' },
  'reads a cut escape': {
    file: 'lib/wire/query-pairs.ts',
    from: 'if (byte < 0) {',
    to: 'if (byte < -256) {',
  },
  'passes a control character in JSON': {
    file: 'lib/wire/json-syntax.ts',
    from: '!(code >= 0x20)',
    to: '!(code >= 0x1f)',
  },
  'passes a leading zero in JSON': {
    file: 'lib/wire/json-syntax.ts',
    from: 'if (text.charCodeAt(this.#at) === 0x30) this.#at++;\n    else if',
    to: 'if',
  },
  'forgets a backslash': {
    file: 'lib/wire/json-reader.ts',
    from: 'if (code === backslash) this.#at++;\n      else if',
    to: 'if',
  },
  'refuses what it should ignore': {
    file: 'lib/wire/options-update.ts',
    from: "if (envelope.type !== 'options_update') return ignored;",
    to: "if (envelope.type !== 'options_update') return failure('');",
  },
  'knows names by one case': {
    file: 'lib/wire/options-update.ts',
    from: 'const typeName = /^type$/iu;',
    to: 'const typeName = /^type$/u;',
  },
  'takes a list that is empty': {
    file: 'lib/wire/filter-document.ts',
    from: 'if (strings === 0)',
    to: 'if (strings === -1)',
  },
  'lets a DID end in a colon': { file: 'lib/event/did.ts', from: 'last !== colon && ', to: '' },
  'lets a name begin with a digit': {
    file: 'lib/event/nsid.ts',
    from: '(!isDigit(code) || at === 0)',
    to: '!isDigit(code)',
  },
  'is off by one at 2^63': {
    file: 'lib/event/cursor.ts',
    from: "'9223372036854775807'",
    to: "'9223372036854775808'",
  },
  'throws at a long number': {
    file: 'lib/event/cursor.ts',
    from: 'if (digits !== int64Digits) return',
    to: 'if (digits > 300) throw new Error();\n  if (digits !== int64Digits) return',
  },
  'takes quadratic time': {
    file: 'lib/event/cursor.ts',
    from: 'if (!decimalInteger.test(text)) return false;',
    to: 'if (!/^[+-]?([0-9]+)*[0-9]*$/.test(text.slice(0, 20)) || !/^.*[0-9]*.*[0-9]$/.test(text)) return false;',
  },
  'believes a stranger': {
    file: 'lib/http/client-address.ts',
    from: '&& this.#trusts(address); proxies++',
    to: '; proxies++',
  },
  'answers no violation': {
    file: 'lib/session/subscriber-socket.ts',
    from: 'if (code === undefined || this.readyState !== WebSocket.OPEN) return;',
    to: 'return;',
  },
};

/** Of the daemon, which is a process of its own. */
const ofDaemon: Readonly<Record<string, Mutant>> = {
  'ends at a body in two pieces': {
    file: 'lib/http/request-body.ts',
    from: 'const bytes = this.#bytes as ByteWriter;',
    to: "const bytes = this.#bytes as ByteWriter;\n    if (bytes.length > 0) setImmediate(() => { throw new Error('a seeded defect'); });",
  },
  'forgets a pipelined request': {
    file: 'lib/http/respond.ts',
    from: "response.once('socket', () => setImmediate(answer));",
    to: 'void answer;',
  },
  'answers with 500': {
    file: 'lib/wire/text-query.ts',
    from: 'return { reason, status: 400, body };',
    to: 'return { reason, status: 500 as 400, body };',
  },
  'keeps every body': {
    file: 'lib/http/request-body.ts',
    from: 'bytes.bytes(chunk);',
    to: 'bytes.bytes(chunk);\n    ((globalThis as { kept?: Buffer[] }).kept ??= []).push(Buffer.alloc(2_000_000, 1));',
  },
  'stands still at an update': {
    file: 'lib/session/websocket-session.ts',
    from: "counts.message('update');",
    to: "counts.message('update');\n        for (const endMs = Date.now() + 1500; Date.now() < endMs; );",
  },
  'sends no pong': {
    file: 'lib/session/control-frames.ts',
    from: 'this.#ws.pong(this.#owedPong);',
    to: '',
  },
  'drops a batch': {
    file: 'lib/session/websocket-session.ts',
    from: 'this.socket.write(bytes);\n    // What',
    to: 'if (Math.random() > 0.001) this.socket.write(bytes);\n    // What',
  },
  'says something on standard error': {
    file: 'lib/http/subscribe-route.ts',
    from: 'if (!isHandshake(request)) return badHandshake;',
    to: "if (!isHandshake(request)) {\n      console.error('odd');\n      return badHandshake;\n    }",
  },
};

function run(mutant: Mutant | undefined, file: string, seconds: number): number | null {
  const env = { ...process.env, FUZZ_SEED: 'mutants', FUZZ_SECONDS: String(seconds) };
  if (mutant !== undefined) Object.assign(env, { [mutantVariable]: JSON.stringify(mutant) });
  const command = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    'fuzz',
    '--bail',
    '1',
    `test/fuzz/${file}`,
  ];
  return spawnSync(process.execPath, command, { cwd: root, env, stdio: 'ignore' }).status;
}

const sources = [
  ['readers.fuzz.ts', ofReaders, 24],
  ['daemon.fuzz.ts', ofDaemon, 8],
] as const;

test.each(sources)('without a mutant all is green: %s', (file, _mutants, seconds) => {
  expect(run(undefined, file, seconds)).toBe(0);
});

const cases = sources.flatMap(([file, mutants, seconds]) =>
  Object.entries(mutants).map(([name, mutant]) => [name, mutant, file, seconds] as const),
);

test.each(cases)('%s', (_name, mutant, file, seconds) => {
  expect(readFileSync(root + mutant.file, 'utf8').split(mutant.from).length).toBe(2);
  expect(run(mutant, file, seconds)).not.toBe(0);
});
