// The first part of the page: choosing, copying, streaming, and keeping up.

import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { textFrame } from '../http/fake-source.ts';
import { sampleReport } from '../status/sample-report.ts';
import { Daemon } from '../support/daemon.ts';
import { chromiumNote, chromiumPath, type Page } from './chromium.ts';
import { phone, rowsOf, visitDaemon, visitWith, withChromium } from './visiting.ts';

withChromium();
const skip = chromiumPath === undefined;

const number = async (page: Page, id: string): Promise<number> =>
  Number((await page.text(`#${id}`)).replaceAll(',', ''));

function event(at: number, text = 'text'): string {
  const commit = { operation: 'create', collection: 'app.bsky.feed.post', rkey: `${at}`, record: { text } };
  return JSON.stringify({ did: 'did:plc:a', time_us: Date.now() * 1000 + at, kind: 'commit', commit });
}

test.skipIf(skip)(`what is chosen is what comes${chromiumNote}`, async () => {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'try it', accounts: 20 }), 200);
  const relay = await RelayServer.listen({ source: pool, framesPerSecond: 200 });
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await using page = await visitDaemon(daemon);
  const like = '#suggestions button:nth-child(1)';
  await expect
    .poll(() => page.value(`document.querySelector('${like}')?.textContent`))
    .toBe('app.bsky.feed.like');
  await page.click(like);
  expect(await page.value(`document.querySelector('${like}').ariaPressed`)).toBe('true');
  const url = `${daemon.url}?wantedCollections=app.bsky.feed.like&wantedKinds=commit`;
  await page.click('input[value=identity]');
  await page.click('input[value=account]');
  expect(await page.value<string>('url.value')).toBe(url);
  expect(await page.value<string>('command.value')).toBe(`websocat '${url}'`);
  await page.click('#start');
  await expect.poll(() => page.text('#stream-state')).toBe('Connected');
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(10);
  for (const [time, action, collection] of await rowsOf(page)) {
    expect([time, action, collection]).toEqual([
      expect.stringMatching(/^\d\d:\d\d:\d\d$/),
      expect.stringMatching(/^(create|update|delete)$/),
      'app.bsky.feed.like',
    ]);
  }
  // A change applies at once, without a hand on the button.
  await page.click(like);
  await page.click('#suggestions button:nth-child(2)');
  const [second] = await page.value<string[]>(
    `document.getElementById('wanted-collections').value.split('\\n')`,
  );
  const shown = async () => [...new Set((await rowsOf(page)).map(([, , collection]) => collection))];
  await expect.poll(shown).toEqual([second]);
  await page.click('#start');
  expect(await page.text('#stream-state')).toBe('Stopped');
  expect(await page.text('#start')).toBe('Start');
  await expect.poll(() => daemon.metric('slipstream_subscribers')).toBe(0);
  await relay.close();
});

test.skipIf(skip)(`subjects are asked for, and judged${chromiumNote}`, async () => {
  const { page, source } = await visitWith(() => sampleReport());
  const uri = 'at://did:plc:a/app.bsky.feed.post/3k';
  await page.click('#wanted-subjects');
  await page.type('alice.example');
  expect(await page.text('#subjects-problem')).toContain('“alice.example” is neither a DID');
  await page.click('#start');
  expect(await page.value('document.activeElement.id')).toBe('wanted-subjects');
  expect(source.subscriptions).toHaveLength(0);
  await page.value(`document.getElementById('wanted-subjects').value = ''`);
  await page.type(`did:plc:b\n${uri}`);
  expect(await page.text('#subjects-problem')).toBe('');
  expect(await page.value<string>('url.value')).toMatch(
    `subscribe?wantedSubjects=did:plc:b&wantedSubjects=${uri}`,
  );
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  expect([...source.subscriptions[0].filters[0].subjects]).toEqual(['did:plc:b', uri]);
});

test.skipIf(skip)(`every tool gets what is chosen${chromiumNote}`, async () => {
  const { page, source, port } = await visitWith(() => sampleReport());
  await page.click('#wanted-dids');
  await page.type('did:plc:a');
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  const commands: string[] = [];
  // What is wrong changes no command, and keeps none from being looked at.
  await page.click('#wanted-subjects');
  await page.type('alice.example');
  for (const tool of ['events', 'events.ndjson', 'websocat']) {
    await page.value(`
      document.getElementById('tool').value = '${tool}';
      document.getElementById('tool').dispatchEvent(new Event('change', { bubbles: true }));
    `);
    commands.push(await page.value<string>('command.value'));
    expect((await page.text('#tool-hint')) === '').toBe(tool === 'websocat');
  }
  const rest = `//127.0.0.1:${port}`;
  expect(commands).toEqual([
    `curl -sN 'http:${rest}/events?wantedDids=did:plc:a'`,
    `curl -s 'http:${rest}/events.ndjson?wantedDids=did:plc:a'`,
    `websocat 'ws:${rest}/subscribe?wantedDids=did:plc:a'`,
  ]);
  // What runs goes on.
  expect(await page.text('#stream-state')).toBe('Connected');
  expect(source.subscriptions).toHaveLength(1);
});

test.skipIf(skip)(`a keyboard is enough${chromiumNote}`, async () => {
  const { page, source } = await visitWith(() => sampleReport());
  const focused = () => page.value<string>('document.activeElement.id || document.activeElement.textContent');
  await page.press('Tab');
  expect(await focused()).toBe('Skip to “Try it”');
  await page.press('Tab');
  expect(await focused()).toBe('Skip to the figures');
  await page.press('Tab');
  expect(await focused()).toBe('server-url');
  await page.press('Tab');
  expect(await focused()).toBe('Copy');
  await page.press('Tab');
  expect(await focused()).toBe('wanted-collections');
  await page.type('app.bsky.graph.*');
  for (let steps = 0; (await focused()) !== 'start'; steps++) {
    expect(steps).toBeLessThan(40);
    await page.press('Tab');
  }
  await page.press('Enter');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  expect(source.subscriptions[0].filters[0].prefixes).toEqual(['app.bsky.graph.']);
  source.subscriptions[0].transport.write(textFrame(event(1, 'the first')));
  await expect.poll(async () => (await rowsOf(page)).length).toBe(1);
  // Pause, the list itself, then the row.
  for (let steps = 0; !(await page.value<boolean>(`document.activeElement.matches('summary')`)); steps++) {
    expect(steps).toBeLessThan(5);
    await page.press('Tab');
  }
  await page.press('Enter');
  const whole = () => page.value<string>(`document.querySelector('#stream pre')?.textContent ?? ''`);
  await expect.poll(whole).toContain('"text": "the first"');
  expect(await page.text('#pause')).toBe('Resume');
  source.subscriptions[0].transport.write(textFrame(event(2)));
  await expect.poll(() => number(page, 'count-events')).toBe(2);
  expect(await rowsOf(page)).toHaveLength(1);
});

test.skipIf(skip)(`events are text, whatever is in them${chromiumNote}`, async () => {
  const { page, source } = await visitWith(() => sampleReport());
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  const evil = '</pre><img src=x onerror="window.hit=1"><script>window.hit=1</script>\u202e\u0000';
  const commit = { operation: evil, collection: evil, rkey: evil, record: { text: evil } };
  const messages = [
    JSON.stringify({ did: evil, time_us: 1_780_000_000_000_000, kind: evil, commit }),
    JSON.stringify({ did: evil, time_us: 1, kind: 'identity', identity: { handle: evil } }),
    JSON.stringify({ did: evil, time_us: 8e15, kind: 'account', account: { active: false, status: evil } }),
    JSON.stringify({ time_us: 1e300, commit: null }),
    evil,
    '[]',
    'null',
  ];
  for (const [at, message] of messages.entries()) {
    source.subscriptions[0].transport.write(textFrame(message));
    await expect.poll(async () => (await rowsOf(page)).length).toBe(at + 1);
  }
  expect((await rowsOf(page)).at(-1)?.slice(1)).toEqual([evil, evil, evil]);
  await page.value(
    `for (const details of document.querySelectorAll('#stream details')) details.open = true;`,
  );
  await expect
    .poll(() => page.value(`document.querySelectorAll('#stream pre').length`))
    .toBe(messages.length);
  expect(await page.value(`document.querySelectorAll('#stream img, #stream script').length`)).toBe(0);
  expect(await page.value('window.hit ?? 0')).toBe(0);
});

test.skipIf(skip)(`it counts all and draws some, at any rate${chromiumNote}`, async () => {
  const { page, source } = await visitWith(() => sampleReport());
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  await page.value(`
    window.slowestMs = 0;
    let before = performance.now();
    const step = (now) => {
      window.slowestMs = Math.max(window.slowestMs, now - before);
      before = now;
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  `);
  const { transport } = source.subscriptions[0];
  const ticks = 60;
  const perTick = 200;
  // 4,000 events a second and more, for three seconds.
  for (let tick = 0; tick < ticks; tick++) {
    const frames = Array.from({ length: perTick }, (_, at) => textFrame(event(at, 'x'.repeat(300))));
    transport.write(Buffer.concat(frames));
    await delay(50);
  }
  await expect.poll(() => number(page, 'count-events')).toBe(ticks * perTick);
  const rows = await rowsOf(page);
  expect(rows.length).toBeLessThanOrEqual(60);
  expect(rows.length).toBeGreaterThan(20);
  expect(await number(page, 'count-hidden')).toBeGreaterThan(ticks * perTick * 0.9);
  // A frame takes 16 ms; one that takes half a second is a page that hangs.
  expect(await page.value('window.slowestMs')).toBeLessThan(500);
});

test.skipIf(skip)(`a paused list stays, and the count goes on${chromiumNote}`, async () => {
  const { page, source } = await visitWith(() => sampleReport());
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  const { transport } = source.subscriptions[0];
  transport.write(textFrame(event(1, 'first')));
  await expect.poll(async () => (await rowsOf(page)).length).toBe(1);
  await page.click('#pause');
  for (let at = 0; at < 5; at++) transport.write(textFrame(event(at, 'hidden')));
  await expect.poll(() => number(page, 'count-events')).toBe(6);
  expect((await rowsOf(page)).map(([, , , text]) => text)).toEqual(['first']);
  await page.click('#pause');
  transport.write(textFrame(event(9, 'last')));
  await expect.poll(async () => (await rowsOf(page)).map(([, , , text]) => text)).toEqual(['last', 'first']);
  expect([await number(page, 'count-paused'), await number(page, 'count-hidden')]).toEqual([5, 0]);
});

test.skipIf(skip)(`compressed events are shown decoded${chromiumNote}`, async () => {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'compressed', accounts: 20 }), 200);
  const relay = await RelayServer.listen({ source: pool, framesPerSecond: 100 });
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await using page = await visitDaemon(daemon);
  const fetched = () =>
    page.value<string>(`performance.getEntriesByType('resource').map(({ name }) => name).join()`);
  await page.click('#start');
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(0);
  expect(await fetched()).not.toContain('zstd');
  await page.click('#compress');
  await expect.poll(() => page.value<string>('url.value')).toContain('compress=true&zstdDictionary=53328');
  await expect.poll(fetched).toContain('zstd.wasm');
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(20);
  for (const row of await rowsOf(page)) expect(row[1]).toMatch(/^(create|update|delete|identity|account)$/);
  // As v1 clients ask: what they get may need no dictionary.
  const plain = (await page.value<string>('url.value')).replace('&zstdDictionary=53328', '');
  await page.click('#start');
  await page.value(`Object.defineProperty(url, 'value', { get: () => ${JSON.stringify(plain)}, set() {} })`);
  await page.click('#start');
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(5);
  for (const row of await rowsOf(page)) expect(row[1]).toMatch(/^(create|update|delete|identity|account)$/);
  await relay.close();
});

test.skipIf(skip)(
  `compressed messages that cannot be read are counted, and named${chromiumNote}`,
  async () => {
    const { page, source } = await visitWith(() => sampleReport());
    await page.click('#compress');
    await page.click('#start');
    await expect.poll(() => source.subscriptions.length).toBe(1);
    expect(source.subscriptions[0].transport.encoding.stored).toBe('zstd');
    source.subscriptions[0].transport.write(Buffer.from([0x82, 3, 1, 2, 3, 0x82, 2, 1, 2]));
    await expect.poll(() => number(page, 'count-events')).toBe(2);
    expect(await page.text('#count-bytes')).toBe('5 B');
    expect(await rowsOf(page)).toEqual([['zstd · 2 B'], ['zstd · 3 B']]);
  },
);

test.skipIf(skip)(`the second wire is tried as the first is, compressed too${chromiumNote}`, async () => {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'second', accounts: 20 }), 200);
  const relay = await RelayServer.listen({ source: pool, framesPerSecond: 100 });
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await using page = await visitDaemon(daemon);
  const choose = (id: string, value: string) =>
    page.value(`
      document.getElementById('${id}').value = '${value}';
      document.getElementById('${id}').dispatchEvent(new Event('change', { bubbles: true }));
    `);
  const isShown = () =>
    page.value(`getComputedStyle(document.getElementById('kind-sync')).display !== 'none'`);
  const path = '/xrpc/network.bsky.jetstream.subscribeEvents';
  expect(await isShown()).toBe(false);
  await choose('wire', 'v2');
  expect(await isShown()).toBe(true);
  expect(await page.value<string>('url.value')).toBe(`${daemon.url.replace('/subscribe', path)}`);
  await page.click('#start');
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(10);
  const words = /^(create|update|delete|identity|account|sync)$/;
  for (const [time, action] of await rowsOf(page)) {
    expect([time, action]).toEqual([expect.stringMatching(/^\d\d:\d\d:\d\d$/), expect.stringMatching(words)]);
  }
  expect(await page.text('#count-behind')).not.toBe('–');
  await page.click('#compress');
  await expect.poll(() => page.value<string>('url.value')).toContain(`${path}?zstdDictionary=37694`);
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(20);
  for (const row of await rowsOf(page)) expect(row[1]).toMatch(words);
  // Older than all: told by a notice, in front of the oldest event.
  await page.click('#start');
  await choose('cursor', '0');
  await page.value(`document.getElementById('wanted-dids').value = 'did:plc:nobody'`);
  await page.click('#start');
  await expect.poll(async () => (await rowsOf(page)).at(-1)?.slice(1, 3)).toEqual(['info', 'OutdatedCursor']);
  await page.click('#start');
  await page.value(`
    document.getElementById('wanted-dids').value =
      Array.from({ length: 10_001 }, (_, at) => 'did:plc:' + at).join('\\n');
  `);
  await page.click('#start');
  await expect.poll(() => page.text('#stream-state')).toContain('Refused: too many dids');
  page.expected.push(/failed: |status of 400/);
  await relay.close();
});

test.skipIf(skip)(`a cursor is asked for${chromiumNote}`, async () => {
  const { page, source } = await visitWith(() => sampleReport());
  const choose = (value: string) =>
    page.value(`
      document.getElementById('cursor').value = '${value}';
      document.getElementById('cursor').dispatchEvent(new Event('input', { bubbles: true }));
    `);
  const cursor = async () => new URL(await page.value<string>('url.value')).searchParams.get('cursor');
  await choose('1h');
  expect(await cursor()).toBe('1h');
  await choose('0');
  expect(await cursor()).toBe('0');
  await choose('custom');
  expect(await page.text('#cursor-problem')).toContain('whole number');
  await page.click('#start');
  expect(await page.value('document.activeElement.id')).toBe('custom');
  expect(source.subscriptions).toHaveLength(0);
  await page.type('1780000000');
  await page.press('Enter');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  // The fake server's clock stands there: a second later is a position, not live.
  expect(source.subscriptions[0].afterTimeUs).toBe(1_780_000_000_000_000 - 1);
});

test.skipIf(skip)(`the server’s close and its refusals are shown${chromiumNote}`, async () => {
  const { page, source } = await visitWith(() => sampleReport());
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  source.subscriptions[0].transport.close('delivery_failed');
  await expect
    .poll(() => page.text('#stream-state'))
    .toBe('Closed by the server: failed to replay events (1000)');
  expect(await page.text('#start')).toBe('Start');
  // What only the server knows.
  await page.value(`
    document.getElementById('wanted-dids').value =
      Array.from({ length: 10_001 }, (_, at) => 'did:plc:' + at).join('\\n');
  `);
  await page.click('#start');
  await expect.poll(() => page.text('#stream-state')).toContain('too many wanted DIDs');
  page.expected.push(/failed: |status of 400/);
});

test.skipIf(skip)(`the second link skips what is tried${chromiumNote}`, async () => {
  const { page } = await visitWith(() => sampleReport());
  await page.press('Tab');
  await page.press('Tab');
  await page.press('Enter');
  expect(await page.value('document.activeElement.id')).toBe('figures');
});

test.skipIf(skip)(
  `a stream stopped before it is open is no warning on the console${chromiumNote}`,
  async () => {
    const { page, source } = await visitWith(() => sampleReport());
    await page.value(`for (let press = 0; press < 2; press++) document.getElementById('start').click()`);
    expect(await page.text('#stream-state')).toBe('Stopped');
    await expect.poll(() => source.subscriptions[0]?.ends).toBe(1);
    expect(await page.text('#stream-state')).toBe('Stopped');
  },
);

test.skipIf(skip)(`an empty list says what to do${chromiumNote}`, async () => {
  const { page, source } = await visitWith(() => sampleReport());
  const said = () =>
    page.value<string>(`getComputedStyle(document.getElementById('stream'), '::before').content`);
  expect(await said()).toContain('Press Start');
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  expect(await said()).toContain('Waiting for the first event');
  await page.click('#start');
  expect(await said()).toContain('Press Start');
});

test.skipIf(skip)(
  `on a phone the rarer conditions are folded, and opened by what is wrong in them${chromiumNote}`,
  async () => {
    const { page } = await visitWith(() => sampleReport(), phone);
    const isOpen = () => page.value(`document.getElementById('more').open`);
    expect(await isOpen()).toBe(false);
    await page.value(`document.getElementById('wanted-dids').value = 'alice.example'`);
    await page.click('#start');
    expect(await isOpen()).toBe(true);
    expect(await page.value('document.activeElement.id')).toBe('wanted-dids');
  },
);

test.skipIf(skip)(`what is copied is what is shown${chromiumNote}`, async () => {
  const { page, port } = await visitWith(() => sampleReport());
  await page.value(`navigator.clipboard.writeText = async (text) => { window.copied = text; }`);
  await page.click('[data-copies=command]');
  await expect.poll(() => page.text('#said')).toBe('Copied');
  expect(await page.value('window.copied')).toBe(await page.value<string>('command.value'));
  await page.click('[data-copies=server-url]');
  await expect.poll(() => page.value('window.copied')).toBe(`ws://127.0.0.1:${port}/subscribe`);
  // As on a page that is not secure.
  await page.value('navigator.clipboard.writeText = () => Promise.reject(new Error())');
  await page.click('[data-copies=url]');
  await expect.poll(() => page.text('#said')).toContain('Selected');
  expect(await page.value('url.value.slice(url.selectionStart, url.selectionEnd)')).toBe(
    await page.value<string>('url.value'),
  );
});
