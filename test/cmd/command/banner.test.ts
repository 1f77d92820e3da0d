import { expect, test } from 'vitest';
import { bannerText, commandFrom, localUrl, tailCommandFor } from '../../../cmd/command/banner.ts';

test('a title, and rows below each other; those with nothing to say are left out', () => {
  expect(
    bannerText('Slipstream', [
      ['page', 'http://a'],
      ['v1 clients', ''],
      ['', 'more'],
    ]),
  ).toBe(['Slipstream', '  page       http://a', '             more'].join('\n'));
});

test.each([
  [':6008', 'http://localhost:6008/'],
  ['0.0.0.0:80', 'http://localhost:80/'],
  ['[::]:80', 'http://localhost:80/'],
  ['[::1]:80', 'http://[::1]:80/'],
  ['127.0.0.1:6008', 'http://127.0.0.1:6008/'],
  ['a.example:6008', 'http://a.example:6008/'],
])('%s is %s to a person on this machine', (listen, url) => {
  expect(localUrl('http', listen, '/')).toBe(url);
});

test.each([
  [{}, ':6008', 'slipstream tail -c'],
  [{ npm_lifecycle_event: 'npx' }, ':6008', 'npx slipstream-firehose tail -c'],
  [{ npm_lifecycle_event: 'start' }, ':6008', 'npm run -s tail -- -c'],
  [{ npm_lifecycle_event: 'demo' }, '127.0.0.1:6008', 'npm run -s tail -- -c'],
  [{}, ':7000', 'slipstream tail ws://localhost:7000 -c'],
])('%j, %s: the command to try is %s', (env, listen, start) => {
  expect(tailCommandFor(listen, env, 'slipstream-firehose')).toBe(`${start} app.bsky.feed.post`);
});

test.each([
  [{}, 'slipstream'],
  [{ npm_lifecycle_event: 'npx' }, 'npx slipstream-firehose'],
  [{ npm_lifecycle_event: 'demo' }, 'npm start -s --'],
])('%j: the command is called as %s', (env, command) => {
  expect(commandFrom(env, 'slipstream-firehose')).toBe(command);
});
