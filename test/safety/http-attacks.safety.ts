// Clients that attack before there is a session: connections, heads and queries, against a daemon that goes on serving
// two subscribers at rate. Each test says how much memory its attack may cost, and what answer it gets.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import { seededRandom } from '../support/events.ts';
import { Attacker, closeOf, handshake, handshakeLines, reset, sessions } from './attackers.ts';
import { Target } from './target.ts';

const mebibyte = 2 ** 20;
const wholeHead = /^HTTP\/1\.1 \d+[\s\S]*\r\n\r\n/;
const subscribersPerAddress = 500;

let target: Target;
beforeAll(async () => {
  target = await Target.start([
    '--workers',
    '1',
    '--max-subscribers-per-address',
    String(subscribersPerAddress),
  ]);
});
afterAll(async () => {
  await target.finish();
  await target[Symbol.asyncDispose]();
});

const get = (path: string, lines: readonly string[] = []): string =>
  `GET ${path} HTTP/1.1\r\n${['Host: test', 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`;

/** Sends, and waits for the end; the attacker with what it got. */
async function exchange(bytes: string | Uint8Array): Promise<Attacker> {
  const attacker = new Attacker(target.port, bytes);
  await attacker.closed;
  return attacker;
}

/** That an honest client has its subscription in time. */
function admitsOne(): Promise<void> {
  return target.admits(async () => {
    const [client] = await sessions(target.port, 1);
    expect(client.status).toBe(101);
    reset([client]);
  });
}

describe('slow clients', () => {
  it.each([
    ['say nothing', ''],
    ['stop in the request line', 'GET /subscri'],
    ['stop in the headers', 'GET /subscribe HTTP/1.1\r\nHost: x\r\nX-'],
    ['stop in a handshake', handshake().slice(0, -2)],
    ['hold back a body', 'POST /subscribe HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n'],
  ])('that %s, in numbers, keep nobody out', (_name, bytes) =>
    target.under(100 * mebibyte, async () => {
      const attackers: Attacker[] = [];
      while (attackers.length < publicHttpLimits.socketsMax + 200) {
        // Few enough at a time for the system's queue.
        const wave = Array.from({ length: 306 }, () => new Attacker(target.port, bytes));
        await Promise.all(wave.map(({ connected }) => connected));
        attackers.push(...wave);
      }
      await admitsOne();
      // The ones that came first had to go.
      await expect
        .poll(() => attackers.filter(({ isClosed }) => isClosed).length)
        .toBeGreaterThanOrEqual(200);
      reset(attackers);
    }),
  );

  it('that send heads of almost 1 MiB and never end them cost a bounded amount', () =>
    target.under(400 * mebibyte, async () => {
      const head = `GET /subscribe?${'wantedDids=did:web:a&'.repeat(47_000)}`;
      const attackers = Array.from({ length: 300 }, () => new Attacker(target.port, head));
      await expect.poll(() => attackers.filter(({ isClosed }) => isClosed).length).toBeGreaterThan(200);
      await admitsOne();
      reset(attackers);
    }));

  it('that dribble a long request line cost little', () =>
    target.under(100 * mebibyte, async () => {
      const attackers = Array.from({ length: 50 }, () => new Attacker(target.port, 'GET /subscribe?'));
      for (const { socket } of attackers) socket.setNoDelay();
      for (let round = 0; round < 300; round++) {
        for (const attacker of attackers) attacker.write('wantedDids=did:web:a&');
        await sleep(1);
      }
      await admitsOne();
      reset(attackers);
    }));
});

it('thousands of connections, abandoned anywhere, leave nothing behind', () =>
  target.under(150 * mebibyte, async () => {
    const seed = 11;
    const random = seededRandom(seed);
    const whole = handshake();
    for (let wave = 0; wave < 20; wave++) {
      const attackers = Array.from(
        { length: 100 },
        () => new Attacker(target.port, whole.slice(0, Math.floor(random() * (whole.length + 40)))),
      );
      await Promise.all(attackers.map(({ connected }) => connected));
      for (const { socket } of attackers) {
        const how = random();
        if (how < 0.4) socket.resetAndDestroy();
        else if (how < 0.7) socket.end();
        else socket.destroy();
      }
      if (wave % 10 === 0) await admitsOne();
    }
  }));

describe('hostile queries', () => {
  const dids = Array.from({ length: 20_000 }, (_, at) => `wantedDids=did:web:${at}`).join('&');
  const long = 'a'.repeat(1_000_000);
  const cases: readonly [string, string, number][] = [
    ['1 MiB of an empty DID', `wantedDids=${'&wantedDids='.repeat(80_000)}`, 400],
    ['20,000 DIDs', dids, 400],
    ['100,000 parameters', 'a=b&'.repeat(100_000), 101],
    ['250,000 ampersands', '&'.repeat(250_000), 101],
    ['a name of a megabyte', long, 101],
    ['a collection of a megabyte', `wantedCollections=${long}`, 400],
    ['a megabyte of dots', `wantedCollections=${'.'.repeat(1_000_000)}`, 400],
    ['100,000 wildcards', 'wantedCollections=a.*&'.repeat(40_000), 400],
    ['a megabyte of percent signs', `wantedDids=${'%'.repeat(1_000_000)}`, 101],
    ['bad escapes', 'wantedDids=%zz&cursor=%&compress=%e0%', 101],
    ['NULs', 'wantedDids=%00&', 400],
    ['a NUL in a cursor', 'cursor=1%00', 400],
    ['surrogates', 'wantedDids=did:web:%ed%a0%80', 400],
    ['overlong UTF-8', 'wantedCollections=%c0%af.%c0%ae', 400],
    ['prototype names', '__proto__=a&constructor=b&__proto__[x]=c&wantedDids[__proto__]=d', 101],
    ['a kind of that name', 'wantedKinds=__proto__', 400],
    ['a cursor of a megabyte', `cursor=${'9'.repeat(1_000_000)}`, 400],
    ['a size of a megabyte', `maxMessageSizeBytes=${'9'.repeat(1_000_000)}`, 101],
    ['more than a megabyte', `a=${'b'.repeat(1_100_000)}`, 431],
  ];
  it('are read or refused', () =>
    target.under(120 * mebibyte, async () => {
      for (const [name, query, status] of cases) {
        const attackers = Array.from({ length: 5 }, () => new Attacker(target.port, handshake(query)));
        await Promise.all(attackers.map((attacker) => attacker.receives(wholeHead)));
        expect(
          attackers.map((attacker) => attacker.status),
          name,
        ).toEqual(Array(5).fill(status));
        // What an answer repeats of a query is text, and never markup.
        if (status === 400) expect(attackers[0].received, name).toMatch(/content-type: text\/plain/i);
        reset(attackers);
      }
    }));
});

it('paths lead nowhere but to routes', () =>
  target.under(60 * mebibyte, async () => {
    const up = '../'.repeat(20);
    const paths = [
      `/${up}etc/passwd`,
      `/dictionaries/${up}package.json`,
      `/status/${up}package.json`,
      '/status/..%2f..%2fpackage.json',
      '/status/%2e%2e/%2e%2e/package.json',
      '/status/..\\..\\package.json',
      '/status/tsconfig.json',
      '/status/__proto__',
      '/status/constructor',
      '/dictionaries/__proto__',
      '/dictionaries/0x1',
      '/dictionaries/%00',
      '//subscribe',
      '/subscribe/',
      '/%73ubscribe',
      '/./subscribe',
      '/subscribe%3fcursor=0',
      '//etc/passwd',
      'http://elsewhere.test/etc/passwd',
      'http://elsewhere.test/metrics',
      '/metrics',
      '/debug/pprof/',
      `/${'a/'.repeat(400_000)}`,
    ];
    for (const path of paths) {
      const { status, received } = await exchange(get(path));
      expect(status, path.slice(0, 60)).toBe(404);
      expect(received).not.toContain('root:');
    }
    for (const target of ['*', 'elsewhere.test:443', 'a', '', '\\subscribe', '/ /']) {
      expect([400, 404]).toContain((await exchange(get(target))).status);
    }
    expect((await exchange(get('http://elsewhere.test/'))).status).toBe(200);
  }));

describe('what is not one HTTP/1.1 request', () => {
  const inner = 'GET /inner HTTP/1.1\r\nHost: test\r\n\r\n';
  const post = (lines: string[], body: string): string =>
    `POST /subscribe HTTP/1.1\r\n${['Host: test', ...lines].join('\r\n')}\r\n\r\n${body}`;
  const cases: readonly [string, string][] = [
    ['two lengths', post(['Content-Length: 0', `Content-Length: ${inner.length}`], inner)],
    ['a list of lengths', post([`Content-Length: 0, ${inner.length}`], inner)],
    ['chunks and a length', post(['Transfer-Encoding: chunked', 'Content-Length: 4'], `0\r\n\r\n${inner}`)],
    ['a length and chunks', post(['Content-Length: 4', 'Transfer-Encoding: chunked'], `0\r\n\r\n${inner}`)],
    ['chunks spelled oddly', post(['Transfer-Encoding: xchunked'], `0\r\n\r\n${inner}`)],
    ['a space before the colon', post(['Transfer-Encoding : chunked'], `0\r\n\r\n${inner}`)],
    ['a folded header', post(['X: a\r\n Transfer-Encoding: chunked'], inner)],
    ['bare line feeds', `POST / HTTP/1.1\nHost: test\nContent-Length: 0\n\n${inner}`],
    ['a signed length', post(['Content-Length: +0'], inner)],
    ['a chunk of a huge size', post(['Transfer-Encoding: chunked'], 'fffffffffffffffff\r\n')],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0'],
    ['a TLS hello', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'.padEnd(517, '\0')],
    ['no method', ' / HTTP/1.1\r\n\r\n'],
    ['another protocol', 'SSH-2.0-x\r\n'],
    ['a NUL in a header', get('/', ['X: a\0b'])],
    ['a line feed in a header', get('/', ['X: a\rb'])],
    ['HTTP/9.9', 'GET / HTTP/9.9\r\n\r\n'],
  ];
  it('is refused, and its rest not read as another', () =>
    target.under(60 * mebibyte, async () => {
      for (const [name, bytes] of cases) {
        // 405 where the fault is in the body, which nobody waits for.
        expect([[400], [405]], name).toContainEqual((await exchange(bytes)).statuses);
      }
    }));

  it('many at once are answered in turn, and not without end', () =>
    target.under(60 * mebibyte, async () => {
      const attacker = new Attacker(target.port, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(3000));
      attacker.socket.end();
      await attacker.closed;
      const { statuses } = attacker;
      expect(statuses.filter((status) => status === 200)).toHaveLength(publicHttpLimits.requestsPerSocketMax);
    }));

  it('a request behind a handshake is not read as one', () =>
    target.under(40 * mebibyte, async () => {
      const attacker = await exchange(`${handshake()}${inner}`);
      expect(attacker.statuses).toEqual([101]);
      expect(closeOf(attacker)).toMatch(/^1002 /);
    }));

  it('an upgrade to something else, with a body, is refused once', () =>
    target.under(40 * mebibyte, async () => {
      const lines = [
        'Host: test',
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAAQAAP__',
      ];
      const { statuses } = await exchange(`GET /subscribe HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${inner}`);
      expect(statuses).toEqual([400]);
    }));
});

it.each(['/events?cursor=0', '/events.ndjson?cursor=0&limit=1000000'])(
  "%s that nobody reads waits at no one's cost, pipelined too",
  (path) =>
    target.under(120 * mebibyte, async () => {
      const request = `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`;
      const attackers = Array.from({ length: 200 }, () => new Attacker(target.port, request.repeat(20)));
      for (const { socket } of attackers) socket.pause();
      await Promise.all(attackers.map(({ connected }) => connected));
      await sleep(1000);
      await admitsOne();
      reset(attackers);
    }),
);

describe('filters in bodies', () => {
  const random = seededRandom(12);
  const dids = (count: number): string[] =>
    Array.from(
      { length: count },
      () => `did:plc:${random().toString(36).slice(2).padEnd(24, 'a').slice(0, 24)}`,
    );
  const post = (
    body: string,
    lines: readonly string[] = ['Connection: close', `Content-Length: ${body.length}`],
  ): string =>
    `POST /events.ndjson?limit=1 HTTP/1.1\r\n${['Host: test', ...lines].join('\r\n')}\r\n\r\n${body}`;

  it('posted by many at once, large, broken and endless, are read at no one’s cost', () =>
    target.under(500 * mebibyte, async () => {
      const large = Array.from({ length: 4 }, () => JSON.stringify({ wantedDids: dids(100_000) }));
      const broken = [
        '['.repeat(9_000_000),
        `{"wantedDids":[${'"",'.repeat(3_000_000)}""]}`,
        `{${'"wantedDids":[],'.repeat(500_000)}"a":1}`,
        `{"wantedDids":["${'\\u0041'.repeat(1_500_000)}"]}`,
      ];
      // Two megabytes and a half of each are here, and no more comes.
      const chunk = `{"wantedDids":[${'"did:web:a",'.repeat(200_000)}`;
      const endless = Array.from({ length: 40 }, () => {
        const lines = ['Transfer-Encoding: chunked'];
        return new Attacker(target.port, post(`${chunk.length.toString(16)}\r\n${chunk}\r\n`, lines));
      });
      const slow = Array.from(
        { length: 100 },
        () => new Attacker(target.port, post('{"wantedDids":["', ['Content-Length: 9000000'])),
      );
      for (let round = 0; round < 2; round++) {
        const posts = [...large, ...broken].map((body) => new Attacker(target.port, post(body)));
        await admitsOne();
        await Promise.all(posts.map(({ closed }) => closed));
        const statuses = posts.map(({ status }) => status);
        // 503 for those that came when there was no room.
        expect(
          statuses.every((status) => [200, 400, 503].includes(status)),
          `${statuses}`,
        ).toBe(true);
      }
      reset([...endless, ...slow]);
      const honest = await exchange(post(JSON.stringify({ wantedDids: dids(10_000) })));
      expect(honest.status).toBe(200);
    }));

  it('posted without an end, on connections that stay, leave half of the time to others', () =>
    target.under(500 * mebibyte, async () => {
      const body = JSON.stringify({ wantedDids: dids(100_000) });
      const request = post(body, [`Content-Length: ${body.length}`]);
      const attackers = Array.from({ length: 4 }, () => new Attacker(target.port, request));
      for (let round = 0; round < 2; round++) {
        for (const attacker of attackers) attacker.write(request);
        await admitsOne();
      }
      await Promise.all(attackers.map((attacker) => attacker.receives(/^(?:HTTP\/1\.1 [\s\S]*){3}/)));
      reset(attackers);
    }));
});

it('20,000 headers are no work', () =>
  target.under(60 * mebibyte, async () => {
    const lines = Array.from({ length: 20_000 }, (_, at) => `X-${at}: ${at}`);
    expect([200, 431]).toContain((await exchange(get('/', lines))).status);
  }));

it('a client is counted at its address, whatever it says of it', () =>
  target.under(100 * mebibyte, async () => {
    const spoof = (at: number): string =>
      handshake(undefined, [
        `X-Forwarded-For: 203.0.113.${at % 250}`,
        'X-Real-IP: 203.0.113.9',
        'Forwarded: for=203.0.113.8',
      ]);
    const attackers: Attacker[] = [];
    for (let at = 0; at < subscribersPerAddress + 50; at++) {
      attackers.push(new Attacker(target.port, spoof(at)));
      if (at % 100 === 99) await attackers[at].receives(/^HTTP/);
    }
    await Promise.all(attackers.map((attacker) => attacker.receives(wholeHead)));
    const refused = attackers.filter(({ status }) => status === 429);
    // The two that behave have places of their own.
    expect(refused).toHaveLength(52);
    expect(refused[0].received).toContain('127.0.0.1 has all 500 connections');
    reset(attackers);
  }));

it('half-open connections are closed from this side too', () =>
  target.under(40 * mebibyte, async () => {
    for (const bytes of ['', 'GET / HT', get('/'), handshake()]) {
      const attacker = new Attacker(target.port, bytes);
      await attacker.connected;
      attacker.socket.end();
      await attacker.closed;
    }
  }));

it('a handshake with every header twice is one handshake, or none', () =>
  target.under(40 * mebibyte, async () => {
    const lines = [...handshakeLines, ...handshakeLines.slice(1)];
    const { status } = await exchange(`GET /subscribe HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    expect([101, 400]).toContain(status);
  }));
