// What is chosen in "Try it" as something to paste: commands for a shell, and whole programs that run as they are and go on where a
// connection broke. Pure.

/** @import { Choice } from './subscription.js' */

import {
  agoMs,
  cursorOf,
  dictionaryUrl,
  httpUrl,
  microseconds,
  subscribeUrl,
  wantedKinds,
  wantedOperations,
} from './subscription.js';

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
      return `curl -sN '${httpUrl('events', page, choice)}'`;
    case 'events.ndjson':
      return `curl -s '${httpUrl('events.ndjson', page, choice)}'`;
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

/**
 * @param {string} page
 * @param {Choice} choice
 * @param {number | undefined} dictionaryId
 */
function websocat(page, choice, dictionaryId) {
  const url = subscribeUrl(page, choice, dictionaryId);
  if (!choice.compress) return `websocat '${url}'`;
  const dictionary = dictionaryUrl(page, choice.wire, dictionaryId);
  return `curl -so slipstream.zdict '${dictionary}'\nwebsocat -b '${url}' | zstd -dcq -D slipstream.zdict`;
}

/**
 * @param {string} page
 * @param {Choice} choice
 */
function tail(page, choice) {
  const flags = [
    ['--url', server(page)],
    ...(choice.wire === 'v1' ? [] : [['--wire', choice.wire]]),
    ...list('-c', choice.collections),
    ...list('-d', choice.dids),
    ...list('-k', wantedKinds(choice)),
    ...list('-o', wantedOperations(choice)),
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

/** What a program does with a message, `data`. */
const javascriptReader = {
  v1: ['const event = JSON.parse(data);', 'cursor = String(event.time_us + 1);', 'console.log(event);'],
  v2: [
    'const { payload, ...error } = JSON.parse(data);',
    "// A notice, '#info', has no number.",
    'if (payload?.seq) cursor = String(payload.seq + 1);',
    'console.log(payload ?? error);',
  ],
};

/** The same, of `message`. */
const pythonReader = {
  v1: ['event = json.loads(message)', 'cursor = event["time_us"] + 1', 'print(event, flush=True)'],
  v2: [
    'envelope = json.loads(message)',
    'event = envelope.get("payload", envelope)',
    'cursor = event["seq"] + 1 if "seq" in event else cursor  # a notice, "#info", has no number',
    'print(event, flush=True)',
  ],
};

/**
 * @param {string} page
 * @param {Choice} choice
 */
function javascript(page, choice) {
  return `// For browsers, and Node.js 22 or later.
const url = new URL('${withoutCursor(page, choice)}');
let cursor = '${cursorOf(choice)}'; // where to resume; '' is now

function connect() {
  if (cursor !== '') url.searchParams.set('cursor', cursor);
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => {
    ${javascriptReader[choice.wire].join('\n    ')}
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
    ['wantedKinds', wantedKinds(choice)],
    ['wantedOperations', wantedOperations(choice)],
    ['wantedSubjects', choice.subjects],
  ];
  const options = [
    `url: ${literal(server(page))},`,
    ...(choice.wire === 'v1' ? [] : [`wire: '${choice.wire}',`]),
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

/** A cursor as the client takes it: microseconds. @param {string} cursor */
function cursorExpression(cursor) {
  const ago = agoMs(cursor);
  return ago === undefined ? microseconds(cursor) : `(Date.now() - ${ago}) * 1000`;
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
cursor = "${cursorOf(choice)}"  # where to resume; "" is now

while True:
    try:
        with connect(f"{url}${url.includes('?') ? '&' : '?'}cursor={cursor}", max_size=None) as socket:
            for message in socket:
                ${pythonReader[choice.wire].join('\n                ')}
    except (OSError, WebSocketException) as error:
        print(f"{error}: trying again")
    time.sleep(1)`;
}

/**
 * @param {string} page
 * @param {Choice} choice
 */
function withoutCursor(page, choice) {
  return subscribeUrl(page, { ...choice, cursor: '', compress: false });
}
