// What of a long URL goes past node:http: requests are answered as by node:http alone, whatever is in them and wherever they are cut, and
// no parser keeps what it was not to see.

import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ConnectionSet } from '../../lib/http/connection-set.ts';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import { LongUrl, seenUrlBytesMax } from '../../lib/http/long-url.ts';
import { serverWithin } from '../../lib/http/server.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { HeldBytes, heldLimitsOf } from '../../lib/session/held-bytes.ts';

const limits = { urlBytesMax: 20_000, headBytesMax: 3_000 };

/** What node:http gets of that text in those pieces, and the URL that is put together. */
function through(pieces: readonly string[], seen?: string) {
  const handed: string[] = [];
  const url = new LongUrl((bytes) => handed.push(bytes.toString('latin1')), limits);
  url.begin();
  for (const piece of pieces) url.take(Buffer.from(piece, 'latin1'));
  const text = handed.join('');
  return { text, url: url.whole(seen ?? (/^\s*\S+ +(\S*)/.exec(text)?.[1] as string)) };
}

function cut(text: string, ...at: readonly number[]): string[] {
  return [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length));
}

test('what is short goes by as it is, and a long URL but for its beginning', () => {
  const short = 'GET /subscribe?cursor=1 HTTP/1.1\r\nHost: a\r\n\r\n';
  expect(through([short])).toEqual({ text: short, url: '/subscribe?cursor=1' });
  const long = `/${'a'.repeat(5_000)}b`;
  const rest = ` HTTP/1.1\r\nHost: ${'b'.repeat(9_000)}\r\n\r\n`;
  expect(through([`GET ${long}${rest}`])).toEqual({ text: `GET ${long.slice(0, 2048)}${rest}`, url: long });
});

test('wherever it is cut', () => {
  const long = `/${'0123456789'.repeat(300)}`;
  const text = `\r\nDELETE  ${long} HTTP/1.1\r\nHost: a b c\r\n\r\n`;
  const whole = through([text]);
  expect(whole.url).toBe(long);
  for (let at = 0; at < text.length; at++) expect(through(cut(text, at))).toEqual(whole);
  for (let at = 3; at < 200; at++) expect(through(cut(text, at, at + 1, at + 7, 2_000 + at))).toEqual(whole);
  expect(through([...text])).toEqual(whole);
});

test('a URL that is too long becomes a head that is too large', () => {
  const { urlBytesMax, headBytesMax } = limits;
  const request = (bytes: number): string => `GET ${'a'.repeat(bytes)} HTTP/1.1\r\n\r\n`;
  expect(through([request(urlBytesMax)]).url).toHaveLength(urlBytesMax);
  const { text } = through(cut(request(urlBytesMax + 1), 9_000));
  expect(text).toBe(`GET ${'a'.repeat(seenUrlBytesMax)}${'a'.repeat(headBytesMax + 1)}`);
});

test('of another head it is not', () => {
  expect(through([`GET ${'a'.repeat(5_000)} HTTP/1.1\r\n\r\n`], 'b').url).toBeUndefined();
});

type Seen = { method: string | undefined; url: string | undefined; headers: object; body: string };

/** A server that says what it has been asked, on a free port. @param isOurs with the listeners' own limits and connections. */
async function sayingServer(isOurs: boolean): Promise<number> {
  const say = (request: IncomingMessage): Promise<Seen> =>
    new Promise((resolve) => {
      const { method, url, headers } = request;
      let body = '';
      request.setEncoding('latin1').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => resolve({ method, url, headers, body }));
    });
  const connections = new ConnectionSet(new HeldBytes(heldLimitsOf(2 ** 30, 1)), {
    ...publicHttpLimits,
    crowdMax: () => 0,
    addressOf: () => undefined,
  });
  const answer: Parameters<typeof serverWithin>[2] = (request, response) => {
    void say(request).then((seen) => response.end(JSON.stringify(seen)));
  };
  const server = isOurs
    ? serverWithin(publicHttpLimits, connections, answer)
    : createServer({ maxHeaderSize: publicHttpLimits.urlBytesMax }, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** With numbers in place of the same letter many times over. */
const brief = (text: string): string =>
  text.replaceAll(/(.)\1{9,}/g, (run, letter) => `${letter}{${run.length}}`);

/** Sends pieces one after the other, `restMs` apart; answers without what differs in any case. */
function answersTo(port: number, pieces: readonly Buffer[], restMs = 1): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      const statuses = [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
      resolve(
        `${statuses.join()}\n${[...received.matchAll(/\{.*\}/g)].map(([text]) => brief(text)).join('\n')}`,
      );
    });
    const send = (at: number): void => {
      if (at === pieces.length) socket.end();
      else socket.write(pieces[at], () => setTimeout(send, restMs, at + 1));
    };
    send(0);
  });
}

test('requests by chance are answered as by node:http alone, seed 1', async () => {
  const [ours, alone] = [await sayingServer(true), await sayingServer(false)];
  const random = new SeededRandom('1', 'long-url');
  const odd = [
    'é',
    '\u00ff',
    '#',
    '"',
    '<',
    '\\',
    '%zz',
    '\t',
    '\u0001',
    '\u007f',
    ' ',
    '\r',
    '\n',
    '\u0000',
  ];
  const letters = (most: number): string =>
    'abc/?&='.charAt(random.between(0, 6)).repeat(random.between(0, most));
  const url = (): string =>
    `/${letters(random.pick([10, 2_046, 2_047, 2_048, 9_000, 90_000]))}${random.float() < 0.3 ? random.pick(odd) : ''}${letters(3_000)}`;
  const request = (): string => {
    const body = random.float() < 0.3 ? letters(3_000) : '';
    const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
    const line = `${body === '' ? 'GET' : 'POST'}${random.float() < 0.1 ? '  ' : ' '}${url()} HTTP/1.1`;
    return `${random.float() < 0.1 ? '\r\n' : ''}${line}\r\nHost: a\r\nCookie: ${letters(5_000)}\r\n${length}\r\n${body}`;
  };
  let refused = 0;
  for (let made = 0; made < 150; made++) {
    const text = Buffer.from(request(), 'latin1');
    const cuts = Array.from({ length: random.between(0, 4) }, () => random.between(0, text.length));
    const ends = [...cuts, text.length].sort((a, b) => a - b);
    const pieces = ends
      .map((end, at) => text.subarray(ends[at - 1] ?? 0, end))
      .filter(({ length }) => length > 0);
    const [mine, theirs] = await Promise.all([answersTo(ours, pieces), answersTo(alone, pieces)]);
    expect(mine, `${made}: ${pieces.map((piece) => brief(piece.toString('latin1')))}`).toBe(theirs);
    if (mine.startsWith('400')) refused++;
  }
  expect(refused).toBeGreaterThan(5);
  expect(refused).toBeLessThan(75);
});

const get = (url: string, lines = ''): string => `GET ${url} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
const u = (bytes: number): string => `/?${'u'.repeat(bytes - 2)}`;
const post = 'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';
const smuggled = get('/smuggled');

// What came in the middle of a head was taken for a URL, if the piece before had the end of another request.
test.each([
  [
    'a length whose last digits look like the end of a long URL',
    get('/a') + get(u(2048)).slice(0, -2),
    `Content-Length: ${'0'.repeat(2048)}${smuggled.length}\r\n\r\n${smuggled}`,
  ],
  [
    'a header that is as long as the URL, and longer',
    `${get('/a')}${get(u(2048)).slice(0, -2)}X-A: `,
    `m ${'h'.repeat(2048)}evil\r\nX-B: b\r\n\r\n`,
  ],
  [
    'the same behind a body',
    `${post}${get(u(2048)).slice(0, -2)}X-A: `,
    `m ${'h'.repeat(2048)}evil\r\nX-B: b\r\n\r\n`,
  ],
  [
    'a token that is long',
    `${get('/a')}${get('/b').slice(0, -2)}Authorization: `,
    `Bearer ${'h'.repeat(3000)}\r\n\r\n`,
  ],
  ['a method in two parts', `${get('/a')}G`, `ET ${u(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
])('a head that began behind another request is what it is: %s', async (_name, ...pieces) => {
  const [ours, alone] = [await sayingServer(true), await sayingServer(false)];
  const sent = pieces.map((piece) => Buffer.from(piece, 'latin1'));
  expect(await answersTo(ours, sent, 50)).toBe(await answersTo(alone, sent, 50));
});

test.each([
  ['behind a short one', get('/a') + get(u(30_000))],
  ['behind several', get('/a').repeat(9) + get(u(30_000)) + get(u(50_000)) + get('/b')],
  ['behind one of its kind', get(u(40_000)) + get(u(30_000))],
  ['of usual length, behind a body', post + get(u(9_000))],
])('a long URL in one piece with others, %s', async (_name, text) => {
  const [ours, alone] = [await sayingServer(true), await sayingServer(false)];
  const sent = [Buffer.from(text, 'latin1')];
  const answers = await answersTo(ours, sent, 50);
  expect(answers).toBe(await answersTo(alone, sent, 50));
  expect(answers).toMatch(/^200(,200)+\n/);
});
