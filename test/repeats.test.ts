// What is written of messages that come again, on a clock that is the test's.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LogFields, Logger } from '../lib/logger.ts';
import { messagesMax, Repeats } from '../lib/repeats.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function recording() {
  const lines: [level: string, message: string, fields: LogFields][] = [];
  const at = (level: string) => (fields: LogFields, message: string) => lines.push([level, message, fields]);
  const target: Logger = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
  return { lines, logger: new Repeats(target) };
}

test('the first is written at once, the rest as one line a minute', () => {
  const { lines, logger } = recording();
  for (let second = 0; second < 150; second++) {
    logger.warn({ second }, 'the relay is gone');
    vi.advanceTimersByTime(1000);
  }
  expect(lines).toEqual([
    ['warn', 'the relay is gone', { second: 0 }],
    ['warn', 'the relay is gone', { second: 59, repeats: 59 }],
    ['warn', 'the relay is gone', { second: 119, repeats: 60 }],
  ]);
  logger.flush();
  expect(lines.at(-1)).toEqual(['warn', 'the relay is gone', { second: 149, repeats: 30 }]);
  expect(lines).toHaveLength(4);
});

test('another name, code or reason is another message', () => {
  const { lines, logger } = recording();
  for (let time = 0; time < 2; time++) {
    for (const name of ['FutureCursor', 'ConsumerTooSlow']) logger.warn({ name }, 'relay error');
    for (const reason of ['closed', 'unreachable']) logger.warn({ reason }, 'the relay is gone');
    for (const code of ['LOG_CORRUPT', 'LOG_READ_FAILED'])
      logger.error({ code, reason: `at ${time}` }, 'a replay failed');
  }
  expect(lines).toHaveLength(6);
  logger.flush();
  expect(lines.slice(6).map(([, , { repeats }]) => repeats)).toEqual([1, 1, 1, 1, 1, 1]);
});

test('after a quiet minute a message is news again', () => {
  const { lines, logger } = recording();
  logger.error({}, 'metrics failed');
  vi.advanceTimersByTime(60_000);
  logger.error({}, 'metrics failed');
  expect(lines).toHaveLength(2);
  vi.advanceTimersByTime(600_000);
  expect(lines).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test('messages and levels are told apart, and information passes', () => {
  const { lines, logger } = recording();
  for (let time = 0; time < 3; time++) {
    logger.warn({}, 'a');
    logger.error({}, 'a');
    logger.warn({}, 'b');
    logger.info({}, 'c');
    logger.debug({}, 'd');
  }
  expect(lines.map(([level, message]) => level + message).sort()).toEqual(
    ['debugd', 'debugd', 'debugd', 'errora', 'infoc', 'infoc', 'infoc', 'warna', 'warnb'].sort(),
  );
});

test('a flood of different messages is bounded', () => {
  const { lines, logger } = recording();
  for (let at = 0; at < 10 * messagesMax; at++) logger.warn({ at }, `message ${at}`);
  expect(lines).toHaveLength(messagesMax);
  expect(vi.getTimerCount()).toBe(messagesMax);
  logger.flush();
  expect(lines.at(-1)).toEqual([
    'warn',
    `message ${10 * messagesMax - 1}`,
    { at: 10 * messagesMax - 1, repeats: 9 * messagesMax },
  ]);
  expect(vi.getTimerCount()).toBe(0);
});
