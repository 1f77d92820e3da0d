// The upper half of the page: what it shows of reports, in both colour schemes, on a phone, to whom nothing but a
// keyboard and a reader helps, and while nobody looks.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { StatusReport } from '../../lib/status/status-report.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { sampleReport } from '../status/sample-report.ts';
import { Daemon } from '../support/daemon.ts';
import { chromiumNote, chromiumPath, type View } from './chromium.ts';
import { desktop, phone, visitDaemon, visitWith, withChromium } from './visiting.ts';

withChromium();
const skip = chromiumPath === undefined;

test.skipIf(skip)(`the numbers are a daemon’s, and live${chromiumNote}`, async () => {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'status page', accounts: 20 }), 200);
  const relay = await RelayServer.listen({ source: pool, framesPerSecond: 200 });
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  const page = await visitDaemon(daemon);
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
  expect(await page.text('#tile-relay')).toBe('not connected');
});

test.skipIf(skip)(`every part of a report is shown${chromiumNote}`, async () => {
  const { page } = await visitWith(() => sampleReport());
  expect(await page.text('#rate')).toBe('553');
  expect(await page.text('#kinds')).toBe('commit541identity4.18account3.92');
  expect(await page.text('#operations')).toBe('create499update9.33delete33.2');
  expect(await page.text('#tile-lag')).toBe('214 ms');
  expect(await page.text('#tile-subscribers')).toBe('1,284');
  expect(await page.text('#tile-live')).toBe('5 catching up');
  expect(await page.text('#tile-window')).toBe('2 d 23 h');
  expect(await page.text('#tile-ratio')).toBe('37 %');
  expect(await page.text('#collections tr:first-child')).toBe('app.bsky.feed.like30156 %');
  expect(await page.text('#collections tr:last-child')).toBe('all others1.140.2 %');
  expect(await page.text('#relay')).toMatch(
    /relay\.example\.net.*1 d 16 h.*21730441208.*relay\.example\.org/,
  );
  expect(await page.text('#log')).toMatch(/47\.8 GiB of 64\.0 GiB.*3 d.*node zstd, dictionary 53328/);
  expect(await page.text('#subscribers')).toMatch(
    /1,279 of 1,284.*1 h 30 min.*318,204 events\/s, 116 MiB\/s/,
  );
  expect(await page.text('#subscribers')).toContain('214 bad collection, 37 bad handshake');
  expect(await page.text('#drops-total')).toBe('412 since start: 391 bad record, 21 too big.');
  expect(await page.text('#drops tr:nth-child(2)')).toMatch(/^\d\d:\d\d:\d\dtoo big1$/);
  expect(await page.text('#coverage tr:first-child')).toMatch(
    /^.*\d\d:\d\dAnother relay is followed \(relay\.example\.net\)missing or twice$/,
  );
  expect(await page.text('#coverage tr:nth-child(2)')).toMatch(
    /Frames could not be used \(relay\.example\.org\), 14 timesmissing$/,
  );
  expect(await page.text('#about')).toBe('Slipstream 0.1.0 · up 3 d 4 h · 220 MiB of memory · 2 workers');
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
  const { page } = await visitWith(() => ({ ...sample, upstream: { ...sample.upstream, ...upstream } }));
  expect(await page.text('#state')).toBe(text);
  expect(await page.value("document.querySelector('#state').dataset.level")).toBe(level);
});

test.skipIf(skip)(`no gap is said too${chromiumNote}`, async () => {
  const { page } = await visitWith(() => ({ ...sampleReport(), coverage: { last: [] } }));
  await expect.poll(() => page.text('#coverage-lead')).toMatch(/^None:/);
  expect(await page.value("document.querySelector('#coverage-table').hidden")).toBe(true);
});

test.skipIf(skip)(`a server that has nothing to tell yet is asked again${chromiumNote}`, async () => {
  let report: StatusReport | undefined;
  const { page } = await visitWith(() => report);
  await expect.poll(() => page.text('#state')).toBe('No answer');
  expect(await page.value("document.querySelector('#notice').hidden")).toBe(false);
  report = sampleReport();
  await expect.poll(() => page.text('#state')).toBe('Live');
  expect(await page.value("document.querySelector('#notice').hidden")).toBe(true);
  expect(page.problems.splice(0).every((problem) => problem.includes('503'))).toBe(true);
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
  expect(await page.text('#collections-problem')).toContain('is no collection');
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
  expect(page.problems.splice(0).join()).toMatch(/Content Security Policy|TrustedTypes|Trusted/i);
});

const views: Record<string, View> = {
  'a desktop in light': desktop,
  'a desktop in dark': { ...desktop, scheme: 'dark' },
  'a phone in light': phone,
  'a phone in dark': { ...phone, scheme: 'dark' },
};

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
        const start = document.getElementById('cursor');
        start.value = 'custom';
        document.getElementById('wanted-subjects').value = 'nobody';
        start.dispatchEvent(new Event('input', { bubbles: true }));
        const tool = document.getElementById('tool');
        tool.value = 'events';
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
  const { page } = await visitWith(() => sampleReport(), { ...desktop, width: 1120, height: 800 });
  await page.picture(picture as string);
});
