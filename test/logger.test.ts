import { describe, expect, test } from 'vitest';
import { CodedError } from '../lib/errors.ts';
import { createLogger, type LoggerOptions } from '../lib/logger.ts';

function linesOf(
  options: Omit<LoggerOptions, 'target'>,
  isTTY: boolean,
  log: (logger: ReturnType<typeof createLogger>) => void,
) {
  let text = '';
  const target = { isTTY, write: (line: string) => (text += line) };
  log(createLogger({ ...options, target }));
  return text;
}

const failure = new CodedError('LOG_BROKEN', 'the log broke', { cause: new Error('disk full') });

describe('JSON lines', () => {
  test('hold time, level, fields, message, and errors with code and cause', () => {
    const text = linesOf({ level: 'info', format: 'json' }, true, (logger) => {
      logger.info({ port: 6008, relay: 'a.example' }, 'listening');
      logger.error({ error: failure }, 'stopping');
      logger.debug({}, 'not at this level');
    });
    const [info, error, ...others] = text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    expect(others).toEqual([]);
    expect(info).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      port: 6008,
      relay: 'a.example',
      msg: 'listening',
    });
    expect(error).toMatchObject({
      level: 'error',
      msg: 'stopping',
      error: { code: 'LOG_BROKEN', message: 'the log broke', cause: { message: 'disk full' } },
    });
  });

  test('are what auto means away from a terminal', () => {
    const log = (logger: ReturnType<typeof createLogger>) => logger.warn({}, 'x');
    expect(linesOf({ level: 'warn', format: 'auto' }, false, log)).toMatch(/^\{/);
    expect(linesOf({ level: 'warn', format: 'auto' }, true, log)).not.toMatch(/^\{/);
  });
});

describe('lines for people', () => {
  test('hold the same, without color away from a terminal', () => {
    const text = linesOf({ level: 'debug', format: 'pretty' }, false, (logger) => {
      logger.warn({ port: 6008, path: 'a b', list: [1] }, 'careful');
      logger.error({ error: failure }, 'stopping');
      logger.debug({}, 'detail');
    });
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3}Z WARN {2}careful port=6008 path="a b" list=\[1\]\n/);
    expect(text).toMatch(
      /ERROR stopping\nCodedError: the log broke\n {4}at .*\nCaused by: Error: disk full\n/s,
    );
    expect(text).toMatch(/Z DEBUG detail\n$/);
    expect(text).not.toContain('\x1b');
  });

  test('are colored on a terminal', () => {
    const text = linesOf({ level: 'info', format: 'auto' }, true, (logger) => logger.info({ port: 1 }, 'up'));
    expect(text).toContain('\x1b[32mINFO');
  });
});
