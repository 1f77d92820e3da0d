// The figures of the page: what it shows of reports, in both colour schemes, on a phone, to whom nothing but a
// keyboard and a reader helps, and while nobody looks.

import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ClusterStatus, StatusReport } from '../../lib/status/status-report.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { textFrame } from '../http/fake-source.ts';
import { sampleReport } from '../status/sample-report.ts';
import { Daemon } from '../support/daemon.ts';
import { chromiumNote, chromiumPath, type Page, type View } from './chromium.ts';
import { desktop, phone, rowsOf, visitDaemon, visitWith, withChromium } from './visiting.ts';

withChromium();
const skip = chromiumPath === undefined;

test.skipIf(skip)(`the numbers are a daemon’s, and live${chromiumNote}`, async () => {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'status page', accounts: 20 }), 200);
  const relay = await RelayServer.listen({ source: pool, framesPerSecond: 200 });
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await using page = await visitDaemon(daemon);
  await expect.poll(() => page.text('#state')).toBe('Live');
  await expect.poll(async () => Number(await page.text('#rate'))).toBeGreaterThan(50);
  expect(await page.value('document.title')).toMatch(/^[0-9,.]+\/s · Slipstream$/);
  const relayId = new URL(relay.url).host;
  expect(await page.text('#tile-relay')).toBe(relayId);
  expect(await page.text('#collections')).toContain('app.bsky.feed.like');
  const line = () => page.value<string>("document.querySelector('#chart-line').getAttribute('d')");
  await expect.poll(line).toMatch(/^M[\d.]+ [\d.]+L/);
  const report = (await (await fetch(`${daemon.httpUrl}/status.json`)).json()) as StatusReport;
  expect(await page.text('#about')).toContain(`Slipstream ${report.version}`);
  expect(await page.text('#log')).toContain('zstd, dictionary 53328');
  const eventsShown = () => page.text('#tile-events');
  const before = await eventsShown();
  await expect.poll(eventsShown).not.toBe(before);
  await relay.close();
  await expect.poll(() => page.text('#state')).toBe('No relay');
  await expect.poll(() => page.text('#tile-relay')).toMatch(`${relayId}: cannot be reached, again `);
  expect(await page.text('#relay')).toMatch(
    /^Not connected.*: cannot be reached, again (in \d+ s|now)Sequence\d+$/,
  );
});

test.skipIf(skip)(`every part of a report is shown${chromiumNote}`, async () => {
  const { page } = await visitWith(() => sampleReport());
  // The mean of the last ten seconds, and the title with it.
  const last = sampleReport().events.history.slice(-10);
  const mean = `${Math.round(last.reduce((sum, value) => sum + value) / 10)}`;
  expect(await page.text('#rate')).toBe(mean);
  expect(await page.value('document.title')).toBe(`${mean}/s · Slipstream`);
  expect(await page.text('#kinds')).toBe('commit541identity4.18account3.92');
  expect(await page.text('#operations')).toBe('create499update9.33delete33.2');
  expect(await page.text('#tile-lag')).toBe('214 ms');
  expect(await page.text('#tile-subscribers')).toBe('1,284');
  expect(await page.text('#tile-live')).toBe('5 catching up');
  expect(await page.text('#tile-window')).toBe('2 d 23 h');
  expect(await page.text('#tile-ratio')).toBe('37 %');
  expect(await page.text('#collections tr:first-child')).toBe('app.bsky.feed.like30156 %');
  const share = "document.querySelector('#collections tr').style.getPropertyValue('--share')";
  expect(await page.value(share)).toBe('55.6%');
  expect(await page.text('#collections tr:last-child')).toBe('all others1.140.2 %');
  expect(await page.text('#relay')).toMatch(
    /relay\.example\.net.*1 d 16 h.*21730441208.*relay\.example\.org/,
  );
  expect(await page.text('#log')).toMatch(/47\.8 GiB of 64\.0 GiB.*3 d.*node zstd, dictionary 53328/);
  expect(await page.text('#subscribers')).toMatch(
    /1,279 of 1,284.*1 h 30 min.*318,204 events\/s, 116 MiB\/s/,
  );
  expect(await page.text('#refused summary')).toBe('Refused since start: 251');
  expect(await page.value("document.querySelector('#refused').open")).toBe(false);
  expect(await page.text('#refusals')).toBe('bad collection214bad handshake37');
  expect(await page.text('#server')).toBe(
    'Version0.1.0Up3 d 4 hMemory, own181 MiBMemory, mapped files39.1 MiBMemory, container204 MiB of 2.0 GiBThreads for subscribers2',
  );
  expect(await page.text('#again')).toMatch(/^, or again from up to 2\sd\s23\sh ago$/);
  expect(await page.value("document.querySelector('#about-link').href")).toBe(
    'https://operator.example/firehose',
  );
  expect(await page.text('#drops-total')).toBe('412 since start: 391 bad record, 21 too big.');
  expect(await page.text('#drops tr:nth-child(2)')).toMatch(/^\d\d:\d\d:\d\dtoo big1$/);
  expect(await page.text('#verification-lead')).toMatch(
    /^1\.2M commits since start: 98\s% verified, 1\.8\s% anchored, /,
  );
  expect(await page.text('#verification-reasons tr:first-child')).toMatch(/^key awaited2/);
  expect(await page.text('#cluster-lead')).toBe('b81c55 reads the relay and writes; all others follow.');
  expect(await page.text('#cluster-nodes')).toMatch(
    /^4f2a90 \(this one\)servesnothing6d07b3can writenothingb81c55writes; 2 pauses, up to 6\.2 snothingc9930fserves1 h 30 min$/,
  );
  expect(await page.text('#coverage tr:first-child')).toMatch(
    /^.*\d\d:\d\dAnother relay is followed \(relay\.example\.net\)missing or twice$/,
  );
  expect(await page.text('#coverage tr:nth-child(2)')).toMatch(
    /Frames could not be used \(relay\.example\.org\), 14 timesmissing$/,
  );
  expect(await page.text('#about')).toBe('Slipstream 0.1.0 · up 3 d 4 h');
  expect(await page.value("document.querySelector('#chart').getAttribute('aria-label')")).toMatch(
    /^Events per second in the last minute: now 5\d\d, lowest [45]\d\d, highest 5\d\d$/,
  );
});

test.skipIf(skip).each([
  [{ stalled: 'LOG_DISK_FULL' }, 'Disk full: waiting', 'bad'],
  [{ relay: null }, 'No relay', 'bad'],
  [{ lagMs: 7_200_000 }, 'Catching up', 'wait'],
  [{ lagMs: null }, 'Live', 'good'],
])(`%j is said in a word${chromiumNote}`, async (upstream, text, level) => {
  const sample = sampleReport();
  const { page } = await visitWith(() => ({
    ...sample,
    cluster: null,
    upstream: { ...sample.upstream, ...upstream },
  }));
  expect(await page.text('#state')).toBe(text);
  expect(await page.value("document.querySelector('#state').dataset.level")).toBe(level);
});

test.skipIf(skip).each([
  [{}, {}, 'Live', 'by way of b81c55'],
  [{ writer: null }, {}, 'Nobody writes', 'relay.example.net: connecting'],
  [{ isConnected: false }, {}, 'No NATS server', 'by way of b81c55'],
  [{ writer: '4f2a90c1d7e3' }, {}, 'No relay', 'relay.example.net: connecting'],
  [{}, { lagMs: 7_200_000 }, 'Catching up', 'by way of b81c55'],
])(`a machine that follows, %j, %j${chromiumNote}`, async (cluster, upstream, text, source) => {
  const sample = sampleReport();
  const { page } = await visitWith(() => ({
    ...sample,
    cluster: { ...(sample.cluster as ClusterStatus), ...cluster },
    upstream: { ...sample.upstream, relay: null, failure: null, ...upstream },
  }));
  expect(await page.text('#state')).toBe(text);
  expect(await page.text('#tile-relay')).toBe(source);
});

const relays = ['relay.example.net', 'relay.example.org'];
test.skipIf(skip).each([
  [null, 'relay.example.net: connecting'],
  [{ reason: 'dns', next: relays[0], inS: 7.4 }, 'relay.example.net: no DNS answer, again in 8 s'],
  [
    { reason: 'refused', next: relays[1], inS: 90 },
    'relay.example.net: refused the connection, relay.example.org in 1 min 30 s',
  ],
  [{ reason: 'new_reason', next: relays[0], inS: -1 }, 'relay.example.net: new reason, again now'],
])(`why there is no relay: %j${chromiumNote}`, async (failed, text) => {
  const sample = sampleReport();
  const failure =
    failed === null
      ? null
      : {
          relay: relays[0],
          reason: failed.reason,
          next: failed.next,
          retryAtUs: sample.timeUs + failed.inS * 1e6,
        };
  const upstream = { ...sample.upstream, relays, relay: null, connectedSinceUs: null, failure };
  const { page } = await visitWith(() => ({ ...sample, cluster: null, upstream }));
  expect(await page.text('#tile-relay')).toBe(text);
  expect(await page.text('#relay dd')).toBe(text);
});

test.skipIf(skip)(`no link but to what an operator has set${chromiumNote}`, async () => {
  let aboutUrl: string | null = null;
  const { page } = await visitWith(() => ({ ...sampleReport(), aboutUrl }));
  const isHidden = () => page.value("document.querySelector('#about-link').hidden");
  expect(await isHidden()).toBe(true);
  aboutUrl = 'https://a.example/';
  await expect.poll(isHidden).toBe(false);
  aboutUrl = 'javascript:alert(1)';
  await expect.poll(isHidden).toBe(true);
  const links = await page.value<string[]>(
    "[...document.querySelectorAll('footer a:not([hidden])')].map((a) => a.href)",
  );
  for (const link of links.filter((url) => !url.endsWith('/events'))) {
    // Those that the routes of the page have.
    if (/status/.test(link)) expect((await fetch(link)).status).toBe(200);
  }
  expect(links).toHaveLength(7);
});

test.skipIf(skip)(`no gap is said too${chromiumNote}`, async () => {
  const { page } = await visitWith(() => ({
    ...sampleReport(),
    coverage: { last: [] },
    verification: null,
    cluster: null,
  }));
  await expect.poll(() => page.text('#coverage-lead')).toMatch(/^None:/);
  expect(await page.value("document.querySelector('#coverage-table').hidden")).toBe(true);
  expect(await page.value("document.querySelector('#verification').hidden")).toBe(true);
  expect(await page.value("document.querySelector('#cluster').hidden")).toBe(true);
});

test.skipIf(skip)(`a server that has nothing to tell yet is asked again${chromiumNote}`, async () => {
  let report: StatusReport | undefined;
  const { page } = await visitWith(() => report);
  await expect.poll(() => page.text('#state')).toBe('No answer');
  expect(await page.value("document.querySelector('#notice').hidden")).toBe(false);
  report = sampleReport();
  await expect.poll(() => page.text('#state')).toBe('Live');
  expect(await page.value("document.querySelector('#notice').hidden")).toBe(true);
  page.expected.push(/503/);
});

test.skipIf(skip)(`nothing is asked while nobody sees the page${chromiumNote}`, async () => {
  let asked = 0;
  const { page } = await visitWith(() => {
    asked++;
    return sampleReport();
  });
  await expect.poll(() => asked).toBeGreaterThan(1);
  const show = (isHidden: boolean) =>
    page.value(`
      Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    `);
  await show(true);
  // A question that was on its way has come before this one.
  await page.value("fetch('/status.json').then((answer) => answer.text())");
  const before = asked;
  // Longer than the page waits between two questions.
  await delay(2500);
  expect(asked).toBe(before);
  await show(false);
  await expect.poll(() => asked).toBe(before + 1);
});

test.skipIf(skip)(`names and reasons are text, whatever is in them${chromiumNote}`, async () => {
  const evil = '<img src=x onerror=alert(1)><script>window.hit = 1</script>\u202e';
  const sample = sampleReport();
  const { page } = await visitWith(() => ({
    ...sample,
    version: evil,
    events: { ...sample.events, collections: [{ name: evil, perSecond: 9 }, ...sample.events.collections] },
    upstream: { ...sample.upstream, relay: evil, relays: [evil] },
    coverage: { last: [{ ...sample.coverage.last[0], reason: evil, relay: evil }] },
    drops: { total: 1, reasons: [{ reason: evil, count: 1 }], last: [{ timeUs: 1, reason: evil, count: 1 }] },
    subscribers: { ...sample.subscribers, refusals: [{ reason: evil, count: 1 }] },
  }));
  expect(await page.text('#collections tr:first-child bdi')).toBe(evil);
  expect(await page.text('#suggestions button')).toBe(evil);
  expect(await page.text('#drops')).toContain(evil);
  expect(await page.text('#coverage')).toContain(`${evil} (${evil})`);
  expect(await page.text('#tile-relay')).toBe(evil);
  expect(await page.value("[...document.querySelectorAll('img, script')].length")).toBe(2);
  expect(await page.value('window.hit ?? 0')).toBe(0);
  await page.click('#suggestions button');
  expect(await page.text('#collections-problem')).toContain('is not a collection');
});

test.skipIf(skip)(`scripts that are not the server’s are refused by the policy${chromiumNote}`, async () => {
  const { page } = await visitWith(() => sampleReport());
  await page.value(`
    const script = document.createElement('script');
    try { script.textContent = 'window.hit = 1'; } catch {}
    document.body.append(script);
    try { document.body.innerHTML += '<p>' } catch { window.refused = 1; }
  `);
  expect(await page.value('[window.hit ?? 0, window.refused]')).toEqual([0, 1]);
  page.expected.push(/Content Security Policy|TrustedTypes|Trusted/i);
});

const views: Record<string, View> = {
  'a desktop in light': desktop,
  'a desktop in dark': { ...desktop, scheme: 'dark' },
  'a phone in light': phone,
  'a phone in dark': { ...phone, scheme: 'dark' },
};

// Six pictures of the whole page, to be looked at: in `test/browser/pictures/`.
test
  .skipIf(skip)
  .each(
    [1280, 768, 390].flatMap((width) => (['light', 'dark'] as const).map((scheme) => ({ width, scheme }))),
  )(`it fits at $width in $scheme${chromiumNote}`, async ({ width, scheme }) => {
  const { page, source } = await visitWith(() => sampleReport(), { width, height: 844, scheme });
  expect(await page.value('document.documentElement.scrollWidth')).toBe(width);
  await takePicture(page, `${width}-${scheme}-first`);
  await page.value(`
    document.getElementById('tool').value = 'javascript';
    document.getElementById('tool').dispatchEvent(new Event('change', { bubbles: true }));
  `);
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  for (let at = 0; at < 14; at++) source.subscriptions[0].transport.write(textFrame(sampleEvent(at)));
  await expect.poll(async () => (await rowsOf(page)).length).toBeGreaterThan(0);
  expect(await page.value('document.documentElement.scrollWidth')).toBe(width);
  await takePicture(page, `${width}-${scheme}`, true);
});

test.skipIf(skip)(`a finger finds all of it on a phone${chromiumNote}`, async () => {
  const { page } = await visitWith(() => sampleReport(), { ...phone, width: 390 });
  const small =
    await page.value(`[...document.querySelectorAll('button, select, input, textarea, summary, footer a, label:has(input)')]
    .filter((each) => each.checkVisibility() && each.type !== 'checkbox' && each.getBoundingClientRect().height < 43.9)
    .map((each) => each.outerHTML)`);
  expect(small).toEqual([]);
});

async function takePicture(page: Page, name: string, whole = false): Promise<void> {
  const folder = join(import.meta.dirname, 'pictures');
  await mkdir(folder, { recursive: true });
  await page.picture(join(folder, `${name}.png`), whole);
}

/** One of a few, in turn. */
function sampleEvent(at: number): string {
  const records = [
    [
      'app.bsky.feed.post',
      { text: 'A post that says a little more than fits into one line of the list on a phone' },
    ],
    [
      'app.bsky.feed.like',
      { subject: { uri: 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3k2a' } },
    ],
    ['com.example.music.play', { title: 'A song' }],
  ] as const;
  const [collection, record] = records[at % records.length];
  const commit = { operation: 'create', collection, rkey: `3k${at}`, record };
  return JSON.stringify({
    did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    time_us: Date.now() * 1000,
    kind: 'commit',
    commit,
  });
}

describe.each(Object.entries(views))('on %s', (_, view) => {
  test.skipIf(skip)(`it fits, in the colours that were asked for${chromiumNote}`, async () => {
    const { page } = await visitWith(() => sampleReport(), view);
    expect(await page.value('document.documentElement.scrollWidth')).toBe(view.width);
    const lightness = await page.value<number>(`
      getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).reduce((sum, part) => sum + Number(part), 0)
    `);
    expect(lightness > 382).toBe(view.scheme === 'light');
  });

  test.skipIf(skip || axePath() === undefined)(
    `it has no fault that axe finds${chromiumNote}${axePath() === undefined ? ' (skipped: no axe-core)' : ''}`,
    async () => {
      const { page } = await visitWith(() => sampleReport(), view);
      // Every part that can be seen is.
      await page.value(`
        document.getElementById('compress').click();
        for (const details of document.querySelectorAll('details')) details.open = true;
        const start = document.getElementById('cursor');
        start.value = 'custom';
        document.getElementById('wanted-subjects').value = 'nobody';
        start.dispatchEvent(new Event('input', { bubbles: true }));
        document.getElementById('wire').value = 'v2';
        const tool = document.getElementById('tool');
        tool.value = 'python';
        tool.dispatchEvent(new Event('change'));
      `);
      await page.value(readFileSync(axePath() as string, 'utf8'));
      const faults = await page.value(`axe.run({ resultTypes: ['violations'] }).then(({ violations }) =>
        violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`);
      expect(faults).toEqual([]);
    },
  );
});

/** The accessibility rules of others, if they are installed. */
function axePath(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('axe-core/axe.min.js');
  } catch {
    return undefined;
  }
}

const picture = process.env.STATUS_PICTURE;
test.runIf(!skip && picture !== undefined)('the picture of the README', async () => {
  const { page, source } = await visitWith(() => sampleReport(), { ...desktop, width: 1120, height: 1180 });
  await page.click('#start');
  await expect.poll(() => source.subscriptions.length).toBe(1);
  // As many as it draws at a time, until the list is full.
  for (let at = 0; at < 15; at++) {
    source.subscriptions[0].transport.write(textFrame(sampleEvent(at)));
    await expect.poll(async () => (await rowsOf(page)).length).toBe(at + 1);
  }
  await page.value(`
    document.getElementById('more').open = false;
    document.getElementById('wanted-collections').value = 'app.bsky.feed.*\\ncom.example.music.play';
    document.getElementById('tool').value = 'typescript';
    document.getElementById('tool').dispatchEvent(new Event('change', { bubbles: true }));
    document.activeElement.blur();
    scrollTo(0, 0);
  `);
  await page.picture(picture as string);
});
