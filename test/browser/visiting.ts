// Pages for tests: one browser for a file, and a page that is closed after the test that opened it, once the test has
// seen that nothing went wrong in it.

import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { wasmFiles } from '../../lib/codec/wasm-module.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import type { StatusReport } from '../../lib/status/status-report.ts';
import { statusRoutes } from '../../lib/status/status-routes.ts';
import { listening } from '../http/listening.ts';
import type { Daemon } from '../support/daemon.ts';
import { Chromium, chromiumPath, type Page, type View } from './chromium.ts';

export const desktop: View = { width: 1280, height: 900, scheme: 'light' };
export const phone: View = { width: 360, height: 740, scheme: 'light' };

let chromium: Chromium | undefined;

/** Starts the browser of a test file, and ends it. */
export function withChromium(): void {
  beforeAll(async () => {
    if (chromiumPath !== undefined) chromium = await Chromium.start();
  });
  afterAll(() => chromium?.[Symbol.asyncDispose]());
}

/** A page that shows `url`, and complains of nothing but what the test expects of it. */
async function visit(url: string, view = desktop): Promise<Page> {
  const page = await (chromium as Chromium).page(view);
  onTestFinished(async () => {
    for (const pattern of page.expected) await expect.poll(() => page.problems.join('\n')).toMatch(pattern);
    await page[Symbol.asyncDispose]();
    const isExpected = (problem: string) => page.expected.some((pattern) => pattern.test(problem));
    expect(page.problems.filter((problem) => !isExpected(problem))).toEqual([]);
  });
  await page.open(url);
  // A report moves what is below it: nothing can be clicked before the first.
  await expect.poll(() => page.text('#state')).not.toBe('Connecting…');
  return page;
}

/** The page of a daemon, once that has something to tell; to be closed before the daemon ends, which the page would complain of. */
export async function visitDaemon(daemon: Daemon): Promise<Page> {
  await expect.poll(async () => (await fetch(`${daemon.httpUrl}/status.json`)).status).toBe(200);
  return visit(`${daemon.httpUrl}/`);
}

/** The page of a server without a daemon: reports and events are the test's. */
export async function visitWith(report: () => StatusReport | undefined, view = desktop) {
  // Of the dictionary that sample-report.ts names.
  const zstdEncodings = { byId: new Map([[53328, encodings.zstd]]), unnamed: encodings.zstd };
  const server = await listening({ routes: statusRoutes(report, wasmFiles()), zstdEncodings });
  return { ...server, page: await visit(`http://127.0.0.1:${server.port}/`, view) };
}

/** The words in every row of the stream, newest first. */
export function rowsOf(page: Page): Promise<string[][]> {
  return page.value(
    `[...document.querySelectorAll('#stream summary')].map((row) => [...row.children].map((part) => part.textContent))`,
  );
}
