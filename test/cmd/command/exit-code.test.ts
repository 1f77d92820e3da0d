import { afterEach, expect, test, vi } from 'vitest';
import { exitCodeOf } from '../../../cmd/command/exit-code.ts';
import { CodedError, UsageError } from '../../../lib/errors.ts';

afterEach(() => void vi.restoreAllMocks());

test('an error is one line, and the exit code it has', () => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(exitCodeOf(new CodedError('LOG_CORRUPT', 'no\x1b[2J good\nmore'), 'inspect')).toBe(1);
  expect(exitCodeOf(new UsageError('CONFIG_BAD_VALUE', 'x'.repeat(5000)), 'tail')).toBe(2);
  const [[first], [second]] = write.mock.calls;
  expect(first).toBe('inspect: no?[2J good (LOG_CORRUPT)\n');
  expect(second).toMatch(/^tail: x{499}~ \(CONFIG_BAD_VALUE\)\n$/);
});

test('what is no such error is ours to mend', () => {
  const error = new TypeError('oops');
  expect(() => exitCodeOf(error, 'tail')).toThrow(error);
});
