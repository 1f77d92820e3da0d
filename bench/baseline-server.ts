// The plain server that ours is compared with: one LevelDB entry per event and encoding, one `send` per event and
// subscriber, replay by iterating keys. It does the same job for the same clients and is written the obvious way; the
// shapes of URL, metrics and events are ours. bench/servers.ts starts it.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { ClassicLevel } from 'classic-level';
import { WebSocket, WebSocketServer } from 'ws';
import { defaultDictionaryPath, readDictionary } from '../lib/codec/dictionary.ts';
import { eventsOf, jsonOf, plainCompressor } from './baseline-codec.ts';

/** Frames that wait to be stored, at which reading from the relay stops. */
const queueMax = 1000;
/** Bytes that wait in a subscriber's socket, at which its replay stops. */
const bufferedBytesMax = 1024 * 1024;

const { values: flags } = parseArgs({
  options: { 'ws-url': { type: 'string' }, 'data-dir': { type: 'string' }, cursor: { type: 'string' } },
});

interface Subscriber {
  readonly socket: WebSocket;
  readonly prefix: 'j' | 'z';
  readonly collections: ReadonlySet<string>;
  readonly dids: ReadonlySet<string>;
  /** Everything up to here has been sent. */
  timeUs: number;
}

const db = new ClassicLevel<string, Uint8Array>(flags['data-dir'] as string, { valueEncoding: 'view' });
await db.open();
const compress = await plainCompressor(readDictionary(defaultDictionaryPath()).bytes);
const live = new Set<Subscriber>();
let lastTimeUs = await newestTimeUs();
let firstTimeUs = 0;
let stored = 0;

async function newestTimeUs(): Promise<number> {
  const [key] = await db.keys({ gte: 'j', lt: 'k', reverse: true, limit: 1 }).all();
  return key === undefined ? 0 : Number(key.split('!')[1]);
}

// Ingest: one event after the other, stored before it is sent.

const queue: Uint8Array[] = [];
let isStoring = false;

async function storeQueue(relay: WebSocket): Promise<void> {
  isStoring = true;
  for (let frame = queue.shift(); frame !== undefined; frame = queue.shift()) {
    if (relay.isPaused && queue.length < queueMax / 2) relay.resume();
    for (const event of await eventsOf(frame)) {
      lastTimeUs = Math.max(lastTimeUs + 1, Date.now() * 1000);
      firstTimeUs ||= lastTimeUs;
      const json = Buffer.from(jsonOf(event, lastTimeUs));
      const zstd = compress(json);
      const key = `${String(lastTimeUs).padStart(16, '0')}!${event.did}!${event.collection}`;
      await db.batch([
        { type: 'put', key: `j!${key}`, value: json },
        { type: 'put', key: `z!${key}`, value: zstd },
      ]);
      stored++;
      for (const subscriber of live) {
        if (!wants(subscriber, event.did, event.collection)) continue;
        if (subscriber.prefix === 'j') subscriber.socket.send(json, { binary: false });
        else subscriber.socket.send(zstd);
      }
    }
  }
  isStoring = false;
}

function readRelay(): void {
  const cursor = flags.cursor === undefined ? '' : `?cursor=${flags.cursor}`;
  const relay = new WebSocket(`${flags['ws-url']}/xrpc/com.atproto.sync.subscribeRepos${cursor}`);
  relay.on('message', (frame: Buffer) => {
    if (queue.push(frame) >= queueMax) relay.pause();
    if (!isStoring) void storeQueue(relay);
  });
}

// Delivery.

function wants({ collections, dids }: Subscriber, did: string, collection: string): boolean {
  if (collections.size > 0 && collection !== '' && !collections.has(collection)) return false;
  return dids.size === 0 || dids.has(did);
}

async function replayTo(subscriber: Subscriber): Promise<void> {
  const { socket, prefix } = subscriber;
  while (subscriber.timeUs < lastTimeUs) {
    const gt = `${prefix}!${String(subscriber.timeUs).padStart(16, '0')}~`;
    for await (const [key, value] of db.iterator({ gt, lt: `${prefix}~` })) {
      const [, timeUs, did, collection] = key.split('!');
      subscriber.timeUs = Number(timeUs);
      if (!wants(subscriber, did, collection)) continue;
      if (socket.readyState !== WebSocket.OPEN) return;
      const options = { binary: prefix === 'z' };
      if (socket.bufferedAmount < bufferedBytesMax) socket.send(value, options);
      else await new Promise((resolve) => socket.send(value, options, resolve));
    }
  }
  if (socket.readyState === WebSocket.OPEN) live.add(subscriber);
}

const http = createServer((_request, response) => {
  response.end(
    `slipstream_log_stored_events ${stored}\nslipstream_log_first_event_timestamp_seconds ${firstTimeUs / 1e6}\n` +
      `nodejs_heap_size_used_bytes ${process.memoryUsage().heapUsed}\n`,
  );
});
const webSockets = new WebSocketServer({ server: http, perMessageDeflate: false });
webSockets.on('connection', (socket, request) => {
  const query = new URL(request.url ?? '/', 'http://localhost').searchParams;
  const cursor = query.get('cursor');
  const subscriber: Subscriber = {
    socket,
    prefix: query.get('compress') === 'true' ? 'z' : 'j',
    collections: new Set(query.getAll('wantedCollections')),
    dids: new Set(query.getAll('wantedDids')),
    timeUs: cursor === null ? lastTimeUs : Number(cursor) - 1,
  };
  if (subscriber.timeUs < 0) subscriber.timeUs = 0;
  socket.on('close', () => live.delete(subscriber));
  socket.on('error', () => socket.terminate());
  void replayTo(subscriber);
});
http.listen(0, '127.0.0.1');
await once(http, 'listening');
console.log(`baseline listening 127.0.0.1:${(http.address() as AddressInfo).port}`);
readRelay();
process.once('SIGTERM', () => process.exit());
