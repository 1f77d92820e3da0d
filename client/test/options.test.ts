import { expect, test } from 'vitest';
import { checkOptions, checkStored } from '../lib/options.ts';
import { globalPlatform } from '../lib/platform.ts';
import { type SubscribeOptions, subscribe } from '../lib/subscribe.ts';

const url = 'ws://a.example';

test.each<[unknown, string, string?]>([
  [undefined, 'subscribe takes one object: write subscribe({ url: "ws://localhost:6008" })'],
  ['ws://b.example', 'subscribe takes one object: write subscribe({ url: "ws://b.example" })'],
  [{}, 'url is missing: give an address, such as "ws://localhost:6008"'],
  [{ url: 5 }, 'url is 5: it has to be an address'],
  [{ url, wire: 'v3' }, 'wire is "v3": it has to be "v1" or "v2"'],
  [{ url, curser: 5 }, 'curser (5) is not an option of subscribe: did you mean cursor?'],
  [{ url, Compress: true }, 'Compress (true) is not an option of subscribe: did you mean compress?'],
  [
    { url, zstdDictionary: 'x' },
    'zstdDictionary ("x") is not an option of subscribe: did you mean dictionary?',
  ],
  [{ endpoint: url }, 'endpoint ("ws://a.example") is not an option of subscribe: did you mean url?'],
  [{ url, until: 5 }, 'until (5) is not an option of subscribe: did you mean untilUs?'],
  [{ url, store: {} }, 'store ({}) is not an option of subscribe: did you mean cursorStore?'],
  [{ url, zzz: 5 }, 'zzz (5) is not an option of subscribe: give one of wantedCollections, '],
  [
    { url, dictionary: 'foo' },
    'dictionary is "foo": it has to be the bytes of a zstd dictionary, as a Uint8Array',
  ],
  [{ url, dictionary: new ArrayBuffer(8) }, 'dictionary is ArrayBuffer of 8 bytes: it has to be'],
  [{ url, compress: 'true' }, 'compress is "true": it has to be true or false'],
  [{ url, cursor: 1.5 }, 'cursor is 1.5: it has to be a whole number, or a text: 1h'],
  [{ url, cursor: null }, 'cursor is null: it has to be'],
  [{ url, cursor: new Date(0) }, 'cursor is "1970-01-01T00:00:00.000Z": it has to be'],
  [{ url, cursor: 'tomorrow' }, 'cursor is "tomorrow": it has to be'],
  [{ url, cursor: Number.NaN }, 'cursor is NaN: it has to be'],
  [{ url, untilUs: '1h' }, 'untilUs is "1h": it has to be microseconds since 1970, as a number'],
  [{ url, cursorStore: new Map() }, 'cursorStore is {}: it has to be an object with load() and save(cursor)'],
  [{ url, signal: new AbortController() }, 'signal is {}: it has to be the signal of an AbortController'],
  [{ url, onNotice: 'log' }, 'onNotice is "log": it has to be a function'],
  [{ url, queue: 5 }, 'queue is 5: it has to be an object of eventsMax, bytesMax'],
  [{ url, queue: { events: 5 } }, 'events (5) is not a part of queue: did you mean eventsMax?'],
  [{ url, queue: { eventsMax: 0 } }, 'queue.eventsMax is 0: it has to be a number from 1'],
  [{ url, timing: { retryMaxMs: '5s' } }, 'timing.retryMaxMs is "5s": it has to be milliseconds'],
  [{ url, timing: { retryMax: 5 } }, 'retryMax (5) is not a part of timing: did you mean retryMaxMs?'],
  [
    { url, platform: { websocket: class {} } },
    'websocket (a function) is not a part of platform: did you mean WebSocket?',
  ],
  [{ url, platform: { fetch: 5 } }, 'platform.fetch is 5: it has to be a function'],
  [{ url, colections: [] }, 'did you mean wantedCollections?', 'CLIENT_BAD_FILTER'],
  [{ url, filter: {} }, 'write its parts', 'CLIENT_BAD_FILTER'],
  [{ url, wantedKinds: 'commit' }, 'wantedKinds is "commit": it has to be a list', 'CLIENT_BAD_FILTER'],
])('%#: %j is refused', (options, message, code = 'CLIENT_BAD_OPTION') => {
  const error = expect.objectContaining({ code, exitCode: 2, message: expect.stringContaining(message) });
  expect(() => checkOptions(options as SubscribeOptions)).toThrow(error);
  expect(() => subscribe(options as SubscribeOptions)).toThrow(error);
});

test('every option may be there, and be undefined', () => {
  const all: Required<SubscribeOptions> = {
    url: new URL(url),
    wire: 'v2',
    cursor: '2h',
    untilUs: Number.POSITIVE_INFINITY,
    cursorStore: { load: () => 5, save() {} },
    compress: true,
    dictionary: Buffer.alloc(9),
    zstdWasm: new URL('https://a.example/zstd.wasm'),
    signal: AbortSignal.timeout(1),
    onNotice() {},
    queue: { eventsMax: 1, bytesMax: undefined as unknown as number },
    timing: { retryMaxMs: 5 },
    // An object with a life of its own.
    platform: { ...globalPlatform(), warned: [], sockets: [] } as object,
    wantedCollections: [],
    wantedDids: [],
    wantedKinds: [],
    wantedOperations: [],
    wantedSubjects: [],
    maxMessageSizeBytes: 0,
    verified: true,
  };
  checkOptions(all);
  const none = Object.fromEntries(Object.keys(all).map((name) => [name, undefined]));
  checkOptions({ ...none, url } as SubscribeOptions);
});

test('an undefined part of an option is what is usual', () => {
  const platform = { WebSocket: undefined } as unknown as SubscribeOptions['platform'];
  expect(
    subscribe({ url, platform, queue: { eventsMax: undefined as unknown as number } }).status.state,
  ).toBe('idle');
});

test('without a WebSocket it says what to do', () => {
  const { WebSocket } = globalThis;
  try {
    Reflect.deleteProperty(globalThis, 'WebSocket');
    expect(() => subscribe({ url })).toThrow(
      expect.objectContaining({
        code: 'CLIENT_NO_WEBSOCKET',
        message: expect.stringMatching(
          /^this runtime has no WebSocket: Node\.js has one from 22 on, .*package ws/,
        ),
      }),
    );
    expect(subscribe({ url, platform: { WebSocket: WebSocket as never } }).status.state).toBe('idle');
  } finally {
    globalThis.WebSocket = WebSocket;
  }
});

test.each([Number.NaN, '5', null])('a store that gives %j is told what to give', (cursor) => {
  expect(() => checkStored(cursor)).toThrow(
    expect.objectContaining({
      code: 'CLIENT_BAD_OPTION',
      message: expect.stringMatching(/^cursorStore\.load\(\) gave .*: it has to give the number/),
    }),
  );
});
