// The page's routes on a public listener, over raw sockets.

import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { wasmFiles } from '../../lib/codec/wasm-module.ts';
import { readPageFiles } from '../../lib/status/page-files.ts';
import type { StatusReport } from '../../lib/status/status-report.ts';
import { statusRoutes } from '../../lib/status/status-routes.ts';
import { listening } from '../http/listening.ts';
import { exchange, head, telling } from '../http/raw-client.ts';
import { sampleReport } from './sample-report.ts';

const folder = new URL('../../lib/status/page/', import.meta.url);
const browser = 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

async function ask(
  line: string,
  headers: string[] = [],
  report: () => StatusReport | undefined = sampleReport,
) {
  const { port } = await listening({ routes: statusRoutes(report, wasmFiles()) });
  const answer = await exchange(port, head(line, headers));
  const named = new Map(answer.headers);
  return { status: answer.status, body: answer.body, header: (name: string) => named.get(name), answer };
}

describe('/', () => {
  it('is the page for a browser', async () => {
    const { status, body, header, answer } = await ask('GET /', [browser]);
    expect([status, header('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(body).toBe(readFileSync(new URL('index.html', folder), 'utf8'));
    expect(answer.headers.filter(([name]) => name === 'vary').map(([, value]) => value)).toEqual([
      'Origin',
      'Accept',
    ]);
    const policy = header('content-security-policy')?.split('; ') ?? [];
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval'");
    expect(policy).toContain("connect-src 'self' ws: wss:");
    expect(policy.join().replace('wasm-unsafe-eval', '')).not.toMatch(/unsafe|\*|data:|https?:/);
    expect(header('x-content-type-options')).toBe('nosniff');
  });

  it.each([[], ['Accept: */*'], ['Accept: application/json'], ['Accept: text/plain, text/html;q=0.9']])(
    'is v1’s text for all others: %s',
    async (...headers) => {
      const { answer } = await ask('GET /', headers);
      expect(telling(answer)).toEqual(['content-type: text/plain; charset=UTF-8', 'vary: Origin']);
      expect([answer.status, answer.body]).toEqual([200, 'Welcome to Jetstream']);
    },
  );

  it('takes the methods that v1 takes, and HEAD, which monitors send', async () => {
    const { status, header } = await ask('POST /', [browser]);
    expect([status, header('allow')]).toEqual([405, 'OPTIONS, GET']);
    for (const headers of [[], [browser]])
      expect((await ask('HEAD /', headers)).answer).toMatchObject({ status: 200, body: '' });
  });
});

describe('files of the page', () => {
  const served = readdirSync(folder).filter((name) => name !== 'index.html' && !name.endsWith('.json'));

  it.each(served)('%s', async (name) => {
    const bytes = readFileSync(new URL(name, folder));
    const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    const { status, body, header } = await ask(`GET /status/${name}`);
    expect([status, body]).toEqual([200, bytes.toString()]);
    expect(header('content-type')).toMatch(/^(text\/(css|javascript)|image\/svg)/);
    expect([header('etag'), header('cache-control')]).toEqual([etag, 'no-cache']);
    const again = await ask(`GET /status/${name}`, [`If-None-Match: ${etag}`]);
    expect([again.status, again.body, again.header('etag')]).toEqual([304, '', etag]);
  });

  it('are named by what is loaded, and by nothing else', () => {
    const text = ['index.html', ...served]
      .map((name) => readFileSync(new URL(name, folder), 'utf8'))
      .join('\n');
    const named = [...text.matchAll(/(?:href|src)="status\/([^"]+)"|from '\.\/([^']+)'/g)].map(
      ([, asset, module]) => asset ?? module,
    );
    // Not files of the folder.
    const documents = ['http.md', 'wire.md'];
    expect([...new Set(named)].sort()).toEqual([...served, ...documents].sort());
    // No resource of another host, no script or style in the page.
    const page = readFileSync(new URL('index.html', folder), 'utf8');
    expect(page).not.toMatch(/https?:|<style| style=| on[a-z]+=|<script(?! type="module" src=)/);
    expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(/);
  });

  it.each([
    ['wire.md', '../../docs/wire.md', 'text/plain; charset=utf-8'],
    ['http.md', '../../docs/http.md', 'text/plain; charset=utf-8'],
    ['zstd.js', '../../node_modules/@bokuweb/zstd-wasm/dist/web/zstd.js', 'text/javascript; charset=utf-8'],
    ['zstd.wasm', '../../node_modules/@bokuweb/zstd-wasm/dist/web/zstd.wasm', 'application/wasm'],
  ])('come with %s', async (name, path, contentType) => {
    const bytes = readFileSync(new URL(path, import.meta.url));
    const { status, header } = await ask(`GET /status/${name}`);
    expect([status, header('content-type')]).toEqual([200, contentType]);
    expect(header('etag')).toBe(`"${createHash('sha256').update(bytes).digest('base64url')}"`);
  });

  it.each([
    '',
    'index.html',
    'tsconfig.json',
    'x.js',
    '../status-routes.ts',
    '%2e%2e/status-routes.ts',
    'main.js/',
  ])('do not include %j', async (name) => {
    const { status, body } = await ask(`GET /status/${name}`);
    expect([status, body]).toEqual([404, '{"message":"Not Found"}\n']);
  });

  it('are missed at the start, not when they are asked for', () => {
    const empty = pathToFileURL(`${mkdtempSync(`${tmpdir()}/slipstream-page-`)}/`);
    expect(() => readPageFiles(new Map(), empty)).toThrow(
      expect.objectContaining({ code: 'HTTP_PAGE_MISSING' }),
    );
    expect(() => readPageFiles(new Map(), new URL('gone/', empty))).toThrow(
      expect.objectContaining({ code: 'HTTP_PAGE_MISSING' }),
    );
  });
});

describe('/status.json', () => {
  it('is the last report, for pages of every origin, for a second', async () => {
    const report = sampleReport();
    const { status, body, answer } = await ask('GET /status.json', [], () => report);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual(report);
    expect(telling(answer)).toEqual([
      'access-control-allow-origin: *',
      'cache-control: public, max-age=1',
      'content-type: application/json; charset=UTF-8',
      'vary: Origin',
      'x-content-type-options: nosniff',
    ]);
  });

  it('changes with the report', async () => {
    let version = 0;
    const { port } = await listening({
      routes: statusRoutes(() => ({ ...sampleReport(), version: `${++version}` }), wasmFiles()),
    });
    const versionOf = async () => JSON.parse((await exchange(port, head('GET /status.json'))).body).version;
    expect([await versionOf(), await versionOf()]).toEqual(['1', '2']);
  });

  it('comes a little later than the listener', async () => {
    const { status, body, header } = await ask('GET /status.json', [], () => undefined);
    expect([status, body, header('retry-after')]).toEqual([503, '{"message":"Service Unavailable"}\n', '1']);
  });
});
