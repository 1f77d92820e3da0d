// What is chosen in "Try it" as something to paste: commands for a shell, and whole programs that run as they are and go on where a
// connection broke. Pure.

/** @import { Choice } from './subscription.js' */

import { httpUrl, subscribeUrl, subset } from './subscription.js';

/** @typedef {'websocat' | 'events' | 'events.ndjson' | 'tail' | 'javascript' | 'typescript' | 'python'} Tool */

/** Those that are programs, of many lines. @type {ReadonlySet<string>} */
export const programs = new Set(['javascript', 'typescript', 'python']);

/**
 * The command or program that prints what was chosen.
 * @param {string} page
 * @param {Choice} choice
 * @param {Tool} tool
 * @param {number | undefined} dictionaryId of the compressed copy
 * @returns {string}
 */
export function snippet(page, choice, tool, dictionaryId) {
  switch (tool) {
    case 'websocat':
      return websocat(page, choice, dictionaryId);
    case 'events':
      return `curl -sN '${httpUrl('events', page, plain(choice))}'`;
    case 'events.ndjson':
      return `curl -s '${httpUrl('events.ndjson', page, plain(choice))}'`;
    case 'tail':
      return tail(page, choice);
    case 'javascript':
      return javascript(page, choice);
    case 'typescript':
      return typescript(page, choice);
    case 'python':
      return python(page, choice);
  }
}

/** @param {Choice} choice */
function plain(choice) {
  return { ...choice, compress: false };
}

/**
 * @param {string} page
 * @param {Choice} choice
 * @param {number | undefined} dictionaryId
 */
function websocat(page, choice, dictionaryId) {
  const url = subscribeUrl(page, choice, dictionaryId);
  if (!choice.compress) return `websocat '${url}'`;
  const dictionary = httpUrl(`dictionaries/${dictionaryId ?? ''}`, page);
  return `curl -so slipstream.zdict '${dictionary}'\nwebsocat -b '${url}' | zstd -dcq -D slipstream.zdict`;
}

/**
 * @param {string} page
 * @param {Choice} choice
 */
function tail(page, choice) {
  const flags = [
    ['--url', server(page)],
    ...list('-c', choice.collections),
    ...list('-d', choice.dids),
    ...list('-k', subset(choice.kinds)),
    ...list('-o', subset(choice.operations)),
    ...list('-s', choice.subjects),
    ...(choice.cursor === '' ? [] : [['--cursor', choice.cursor]]),
  ];
  const words = flags.map(([name, value]) => `${name} ${shellWord(value)}`);
  return ['npx slipstream-firehose tail', ...words, ...(choice.compress ? ['--compress'] : [])].join(' ');
}

/**
 * @param {string} name
 * @param {readonly string[]} values
 */
function list(name, values) {
  return values.length === 0 ? [] : [[name, values.join(',')]];
}

/** @param {string} text */
function shellWord(text) {
  return /^[\w.:/@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The address without what is chosen. @param {string} page */
function server(page) {
  return subscribeUrl(page);
}

/**
 * @param {string} page
 * @param {Choice} choice
 */
function javascript(page, choice) {
  return `// For browsers, and Node.js 22 or later.
const url = new URL('${withoutCursor(page, choice)}');
let cursor = '${choice.cursor}'; // where to go on; '' is now

function connect() {
  if (cursor !== '') url.searchParams.set('cursor', cursor);
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    cursor = String(event.time_us + 1);
    console.log(event);
  };
  socket.onclose = () => setTimeout(connect, 1000);
}

connect();`;
}

/**
 * @param {string} page
 * @param {Choice} choice
 */
function typescript(page, choice) {
  const lists = [
    ['wantedCollections', choice.collections],
    ['wantedDids', choice.dids],
    ['wantedKinds', subset(choice.kinds)],
    ['wantedOperations', subset(choice.operations)],
    ['wantedSubjects', choice.subjects],
  ];
  const options = [
    `url: ${literal(server(page))},`,
    ...lists.flatMap(([name, values]) =>
      values.length === 0 ? [] : [`${name}: [${[...values].map(literal).join(', ')}],`],
    ),
    ...(choice.cursor === '' ? [] : [`cursor: ${cursorExpression(choice.cursor)},`]),
    ...(choice.compress ? ['compress: true,'] : []),
  ];
  return `// npm install slipstream-client
import { subscribe } from 'slipstream-client';

const stream = subscribe({
  ${options.join('\n  ')}
});

for await (const event of stream) {
  console.log(event);
}`;
}

const unitsMs = new Map([
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** A cursor as the client takes it: microseconds. @param {string} cursor */
function cursorExpression(cursor) {
  const ago = /^(\d+)([mh])$/.exec(cursor);
  if (ago !== null) return `(Date.now() - ${Number(ago[1]) * (unitsMs.get(ago[2]) ?? 0)}) * 1000`;
  // As the server reads them: by their digits.
  if (cursor.length === 10) return `${cursor}000000`;
  return cursor.length === 13 ? `${cursor}000` : String(Number(cursor));
}

/** @param {string} text */
function literal(text) {
  return /^[\w.:*/~%?&=@-]*$/.test(text) ? `'${text}'` : JSON.stringify(text);
}

/**
 * @param {string} page
 * @param {Choice} choice
 */
function python(page, choice) {
  const url = withoutCursor(page, choice);
  return `# pip install websockets
import json
import time

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

url = "${url}"
cursor = "${choice.cursor}"  # where to go on; "" is now

while True:
    try:
        with connect(f"{url}${url.includes('?') ? '&' : '?'}cursor={cursor}", max_size=None) as socket:
            for message in socket:
                event = json.loads(message)
                cursor = event["time_us"] + 1
                print(event, flush=True)
    except (OSError, WebSocketException) as error:
        print(f"{error}: trying again")
    time.sleep(1)`;
}

/**
 * @param {string} page
 * @param {Choice} choice
 */
function withoutCursor(page, choice) {
  return subscribeUrl(page, { ...plain(choice), cursor: '' });
}
