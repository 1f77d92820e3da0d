import { expect, test } from 'vitest';
import { requireNode } from '../../../cmd/command/runtime.ts';

test('the daemon runs in Node.js', () => {
  requireNode('the daemon', process.versions);
});

test.each([
  [{ bun: '1.4.5' }, /^this is Bun 1\.4\.5, and the daemon needs Node\.js: start it with node\. "tail" and/],
  [{ deno: '2.9.6' }, /^this is Deno 2\.9\.6, /],
])('in %j it says what to do', (versions, message) => {
  // They say a version of Node.js too.
  expect(() => requireNode('the daemon', { node: '24.3.0', ...versions })).toThrow(
    expect.objectContaining({ code: 'CONFIG_RUNTIME', exitCode: 2, message: expect.stringMatching(message) }),
  );
});
