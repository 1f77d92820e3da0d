// Inputs that are HTTP: requests of every route, right and wrong, one or several on a connection, with and without bodies,
// and framings that two readers could read in two ways.

import type { SeededRandom } from '../../lib/seeded-random.ts';
import { readFilterDocument } from '../../lib/wire/filter-document.ts';
import { filterParameterIn, isSubscribeFault, parseSubscribeQuery } from '../../lib/wire/subscribe-query.ts';
import { isTextFault, readEventStream, readPull } from '../../lib/wire/text-query.ts';
import type { Draft } from './input.ts';
import { anyText, filterJson, filterName, filterValue, flag, goodPart, json, number } from './vocabulary.ts';

const plainPaths = [
  ...[
    '/',
    '/coverage',
    '/proof',
    '/dictionaries',
    '/dictionaries/1',
    '/dictionaries/0',
    '/status.json',
    '/status/main.js',
    '/status/',
  ],
  ...[
    '/status/page.css',
    '/metrics',
    '/none',
    '//',
    '/subscribe/',
    '/events/',
    '/dictionaries/9999999999',
    '/status/../lib',
  ],
];
const methods = [
  'GET',
  'GET',
  'GET',
  'HEAD',
  'OPTIONS',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'TRACE',
  'PROPFIND',
  'M-SEARCH',
];

const safeCode = /[A-Za-z0-9._~:/@!$'()*,-]/;

/** A name or value as it may stand in a query. */
export function encoded(random: SeededRandom, text: string): string {
  const isEager = random.chance(0.1);
  let result = '';
  for (const byte of Buffer.from(text)) {
    const character = String.fromCharCode(byte);
    const hex = byte.toString(16).padStart(2, '0');
    if (!isEager && safeCode.test(character)) result += character;
    else if (byte === 0x20 && random.chance(0.5)) result += '+';
    else result += `%${random.chance(0.5) ? hex : hex.toUpperCase()}`;
  }
  return result;
}

/** A query of any route. */
export function query(random: SeededRandom): string {
  const pairs: string[] = [];
  for (let pair = random.chance(0.1) ? random.int(60) : random.int(6); pair > 0; pair--) {
    const [name, value] = random.pick([
      (): [string, string] => goodPart(random),
      (): [string, string] => {
        const part = filterName(random);
        return [part, filterValue(random, part)];
      },
      (): [string, string] => [random.pick(['cursor', 'until', 'limit', 'zstdDictionary']), number(random)],
      (): [string, string] => [random.pick(['compress', 'requireHello', 'progress']), flag(random)],
      (): [string, string] => [anyText(random), anyText(random)],
    ])();
    pairs.push(
      random.chance(0.95)
        ? `${encoded(random, name)}=${encoded(random, value)}`
        : random.pick([encoded(random, name), '=', '', ';', '%', '%zz=1', 'a=%e2%82', 'cursor=1;2']),
    );
  }
  // Most pulls are short: what a stream brings is for others to look at.
  if (random.chance(0.8)) pairs.push(`limit=${random.between(1, 4)}`);
  return pairs.join(random.chance(0.97) ? '&' : '&&');
}

/** A query that nothing is wrong with. */
export function goodQuery(random: SeededRandom): string {
  const parts = Array.from({ length: random.int(4) }, () => goodPart(random));
  if (random.chance(0.3))
    parts.push([
      'cursor',
      random.pick([
        '0',
        '1',
        '-5',
        '1780000000',
        '9223372036854775807',
        '1h',
        '2d3s',
        'yesterday 14:00',
        '2026-01-31T12:00:00%2B02:00',
        'now',
      ]),
    ]);
  if (random.chance(0.3)) parts.push(['progress', 'true']);
  return parts.map(([name, value]) => `${encoded(random, name)}=${encoded(random, value)}`).join('&');
}

/** One request as text, without a body. */
interface Request {
  readonly method: string;
  readonly target: string;
  readonly lines: readonly string[];
  readonly text: string;
  /** Whether the connection goes on behind the answer. */
  readonly goesOn: boolean;
  readonly statuses?: readonly number[] | undefined;
}

const headerNames = [
  'Accept',
  'Origin',
  'User-Agent',
  'X-Forwarded-For',
  'Socket-Encoding',
  'If-None-Match',
  'Last-Event-ID',
  'Range',
  'Cookie',
  'Accept-Encoding',
  'Access-Control-Request-Headers',
  'Access-Control-Request-Method',
  'Forwarded',
  'TE',
  'Via',
  'Pragma',
  'Referer',
];
const headerValues = [
  '*/*',
  'text/html',
  'text/html;q=0,*/*',
  'zstd',
  '*',
  'W/"a", "b"',
  '1',
  '1780000000000000',
  'bytes=0-',
  'trailers',
  '127.0.0.1',
  '::1, [::1]:1,,',
  'http://example.test',
  'null',
  '',
];
const visible = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Header lines that are right, whatever they say. */
export function headerLines(random: SeededRandom): string[] {
  return Array.from({ length: random.chance(0.05) ? random.int(90) : random.int(5) }, () => {
    const name = random.chance(0.9)
      ? random.pick(headerNames)
      : `X-${random.text(visible, random.between(1, 20))}`;
    const value = random.chance(0.7)
      ? random.pick(headerValues)
      : random.text(`${visible} \t"(),/:;<=>?@[\\]{}\x80\xff`, random.int(60)).trim();
    const spelled = random.chance(0.3) ? name.toLowerCase() : name;
    return `${spelled}:${random.pick([' ', '', '  ', '\t'])}${value}${random.pick(['', '', ' '])}`;
  });
}

/** What a route has to answer to a query, as its reader has it; undefined where it depends on more. */
function statusesOf(
  method: string,
  path: string,
  rawQuery: string,
  lines: readonly string[],
): readonly number[] | undefined {
  // What these say goes into the answer.
  if (lines.some((line) => /^(last-event-id|socket-encoding)/i.test(line))) return undefined;
  if (method !== 'GET') return undefined;
  const now = (): number => Date.now() * 1000;
  if (path === '/events')
    return isTextFault(readEventStream(rawQuery, '', now(), 30_000)) ? [400] : [200, 429];
  if (path === '/events.ndjson') return isTextFault(readPull(rawQuery, now)) ? [400] : [200, 429];
  return path === '/subscribe' ? [400] : undefined;
}

function request(random: SeededRandom): Request {
  const method = random.pick(methods);
  const path = random.chance(0.6)
    ? random.pick(['/subscribe', '/events', '/events.ndjson', '/coverage', '/proof'])
    : random.pick(plainPaths);
  const rawQuery = random.chance(0.3) ? goodQuery(random) : query(random);
  const prefix = random.chance(0.05) ? 'http://elsewhere.test' : '';
  const target = `${prefix}${path}${rawQuery === '' ? '' : `?${rawQuery}`}`;
  const version = random.chance(0.95) ? '1.1' : '1.0';
  const closes = random.chance(0.3);
  const lines = ['Host: test', ...headerLines(random), ...(closes ? ['Connection: close'] : [])];
  if (random.chance(0.2)) lines.reverse();
  // A method that may have a body says that it has none.
  const hasLength = method === 'POST' || random.chance(0.1);
  const all = hasLength ? [...lines, 'Content-Length: 0'] : lines;
  const isStream = path === '/events' && ['GET', 'HEAD', 'POST'].includes(method);
  return {
    method,
    target,
    lines: all,
    text: `${method} ${target} HTTP/${version}\r\n${all.join('\r\n')}\r\n\r\n`,
    goesOn: !closes && version === '1.1' && !isStream,
    statuses: statusesOf(method, path, rawQuery, lines),
  };
}

/** One request, which is right. */
export function requestInput(random: SeededRandom): Draft {
  const { method, text, statuses } = request(random);
  return {
    bytes: Buffer.from(text, 'latin1'),
    due: { methods: [method], ...(statuses && { lastStatuses: statuses }) },
  };
}

/** Some at once; nothing is behind one that ends the connection. */
export function pipelineInput(random: SeededRandom): Draft {
  const requests = Array.from({ length: random.between(2, 8) }, () => request(random));
  const last = requests.findIndex(({ goesOn }) => !goesOn);
  const sent = last < 0 ? requests : requests.slice(0, last + 1);
  return {
    bytes: Buffer.from(sent.map(({ text }) => text).join(''), 'latin1'),
    due: { methods: sent.map(({ method }) => method), answersMax: sent.length },
  };
}

/** A body in chunks, with all that chunks may have. */
function chunked(random: SeededRandom, body: Buffer): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const piece = body.subarray(at, at + random.between(1, random.chance(0.2) ? 3 : 400));
    const size = piece.length.toString(16);
    const extension = random.chance(0.1)
      ? `;${random.text('abc', 3)}=${random.text('abc', random.int(20))}`
      : '';
    pieces.push(
      Buffer.from(
        `${random.chance(0.1) ? '000' : ''}${random.chance(0.5) ? size : size.toUpperCase()}${extension}\r\n`,
      ),
      piece,
      Buffer.from('\r\n'),
    );
    at += piece.length;
  }
  const trailer = random.chance(0.1) ? 'X-Trailer: a\r\n' : '';
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

/** A posted filter, in a framing that is right. */
export function bodyInput(random: SeededRandom): Draft {
  const path = random.pick(['/events', '/events.ndjson', '/events.ndjson']);
  const rawQuery = random.chance(0.8) ? `limit=${random.between(1, 4)}` : query(random);
  const text = random.pick([filterJson, filterJson, filterJson, (): string => json(random, 4), anyText])(
    random,
  );
  const body = Buffer.from(random.chance(0.02) ? text.padEnd(random.int(200_000), ' ') : text);
  const isChunked = random.chance(0.4);
  const lines = ['Host: test', isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`];
  if (random.chance(0.1)) lines.push('Expect: 100-continue');
  if (random.chance(0.1)) lines.push('Upgrade: h2c', 'Connection: Upgrade');
  lines.push(...headerLines(random).filter((line) => !/^(last-event-id|socket-encoding)/i.test(line)));
  if (random.chance(0.3)) lines.push('Connection: close');
  const head = `POST ${path}?${rawQuery} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
  const bytes = Buffer.concat([Buffer.from(head, 'latin1'), isChunked ? chunked(random, body) : body]);
  return {
    bytes,
    due: { methods: ['POST'], lastStatuses: postStatuses(path, rawQuery, body), answersMax: 1 },
  };
}

function postStatuses(path: string, rawQuery: string, body: Buffer): readonly number[] {
  const now = (): number => Date.now() * 1000;
  const asked = path === '/events' ? readEventStream(rawQuery, '', now(), 30_000) : readPull(rawQuery, now);
  if (isTextFault(asked) || filterParameterIn(rawQuery) !== undefined) return [400];
  return 'problem' in readFilterDocument(body.toString()) ? [400] : [200, 429, 503];
}

const framings = [
  ['Content-Length: 5', 'Content-Length: 6'],
  ['Content-Length: 5, 5'],
  ['Content-Length: -1'],
  ['Content-Length: 0x5'],
  ['Content-Length: 99999999999999999999'],
  ['Content-Length: 18446744073709551616'],
  ['Content-Length : 5'],
  ['Content-Length: 5', 'Transfer-Encoding: chunked'],
  ['Transfer-Encoding: chunked', 'Content-Length: 0'],
  ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
  ['Transfer-Encoding: chunked, identity'],
  ['Transfer-Encoding: gzip, xchunked'],
  ['Transfer-Encoding: \x0bchunked'],
  ['Transfer-Encoding:\r\n chunked'],
  ['X: a\rTransfer-Encoding: chunked'],
  ['X: a\nContent-Length: 5'],
  ['Transfer-Encoding\0: chunked'],
];
const oddChunks = [
  '5\r\nhello\r\n0\r\n\r\n',
  'fffffffffffffffff\r\na',
  '-1\r\n\r\n',
  '5\nhello\n0\n\n',
  ' 5\r\nhello\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5;\0\r\nhello\r\n0\r\n\r\n',
  '0\r\nContent-Length: 9\r\n\r\n',
  'g\r\n',
  '5\r\nhelloX\r\n',
  '',
];

/** A request whose end two readers may see in two places, with another request there: one answer, whatever it is. */
export function oddFramingInput(random: SeededRandom): Draft {
  const method = random.pick(['POST', 'GET', 'PUT']);
  const path = random.pick(['/events.ndjson?limit=1', '/subscribe', '/', '/none']);
  const lines = ['Host: test', ...random.pick(framings), ...headerLines(random).slice(0, 3)];
  const inner = 'GET /inner HTTP/1.1\r\nHost: test\r\n\r\n';
  const text = `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${random.pick(oddChunks)}${inner}`;
  return { bytes: Buffer.from(text, 'latin1'), due: { answersMax: 1 } };
}

/** Whether the reader of `/subscribe` finds nothing wrong. */
export function isSubscription(rawQuery: string): boolean {
  return !isSubscribeFault(parseSubscribeQuery(rawQuery, undefined));
}
