import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CodedError, UsageError } from '../lib/errors.ts';

test('an error says whether to try again, and how a process ends by it', () => {
  const cause = new Error('why');
  expect(new CodedError('LOG_CORRUPT', 'm')).toMatchObject({
    ...{ code: 'LOG_CORRUPT', message: 'm', retryable: false, exitCode: 1 },
  });
  expect(new CodedError('LOG_DISK_FULL', 'm', { cause, retryable: true })).toMatchObject({
    ...{ cause, retryable: true, exitCode: 1 },
  });
  expect(new UsageError('CONFIG_CONFLICT', 'm', { cause })).toMatchObject({
    ...{ code: 'CONFIG_CONFLICT', cause, retryable: false, exitCode: 2 },
  });
  expect(new UsageError('CONFIG_CONFLICT', 'm')).toBeInstanceOf(CodedError);
  expect('cause' in new UsageError('CONFIG_CONFLICT', 'm')).toBe(false);
});

test('it survives the way between threads', () => {
  for (const error of [new CodedError('A_B', 'm', { retryable: true }), new UsageError('C_D', 'n')]) {
    const { code, message, retryable, exitCode } = error;
    const sent = structuredClone({ code, message, retryable, exitCode });
    expect(new CodedError(sent.code, sent.message, sent)).toMatchObject({
      code,
      message,
      retryable,
      exitCode,
    });
  }
});

describe('docs/errors.md', () => {
  const root = resolve(import.meta.dirname, '..');
  const source = globSync('{lib,cmd,client/lib,simulator/lib,simulator/cmd}/**/*.ts', { cwd: root })
    .map((name) => readFileSync(resolve(root, name), 'utf8'))
    .join('\n');
  const stages =
    'CLIENT|CLUSTER|CODEC|CONFIG|DEMO|DICTIONARY|HTTP|IDENTITY|INSPECT|LOG|PROOFS|SERVICE|SIMULATOR|SOCKET|TAIL|TRAINING|UPSTREAM|VERIFY|WORKER';
  const codes = new Set(
    [...source.matchAll(new RegExp(`'((?:${stages})_[A-Z_]+)'`, 'g'))].map(([, code]) => code),
  );
  const rows = new Map(
    readFileSync(resolve(root, 'docs/errors.md'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => {
        const [, code, meaning, todo, retry, exit] = line.split('|').map((cell) => cell.trim());
        return [code.replaceAll('`', ''), { meaning, todo, retry, exit }];
      }),
  );

  test('has every code of the sources, and no other', () => {
    expect([...rows.keys()].toSorted()).toEqual([...codes].toSorted());
    for (const [code, { meaning, todo }] of rows) expect(meaning && todo, code).not.toBe('');
  });

  test('every error of the sources is of a stage that is looked for', () => {
    const made = [...source.matchAll(/new (?:CodedError|UsageError)\(\s*'([A-Z]+_[A-Z_]+)'/g)];
    expect(made.length).toBeGreaterThan(40);
    for (const [, code] of made) expect(codes).toContain(code);
  });

  test('tells retry and exit code as the sources do', () => {
    const calls = /new (CodedError|UsageError)\(\s*'([A-Z_]+)'((?:[^;](?!new (?:Coded|Usage)Error))*);/g;
    const retries = new Map<string, Set<string>>();
    for (const [, name, code, rest] of source.matchAll(calls)) {
      expect(rows.get(code)?.exit, code).toBe(name === 'UsageError' ? '2' : '1');
      const option = /\bretryable(: true\b)?/.exec(rest);
      const retry = option === null ? 'no' : option[1] === undefined ? 'at times' : 'yes';
      retries.set(code, (retries.get(code) ?? new Set()).add(retry));
    }
    expect(retries.size).toBeGreaterThan(40);
    for (const [code, told] of retries) {
      expect(rows.get(code)?.retry, code).toBe(told.size === 1 ? [...told][0] : 'at times');
    }
  });
});
