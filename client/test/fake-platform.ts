// A platform whose time stands still until it is told, and whose sockets do what they are told: for what depends on
// intervals.

import type { StreamNotice } from '../lib/notice.ts';
import type { Platform, WebSocketLike } from '../lib/platform.ts';
import { type SubscribeOptions, subscribe } from '../lib/subscribe.ts';

/** Lets promises that are due settle. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise(setImmediate);
}

/** A socket in the hands of a test. */
export class FakeSocket implements WebSocketLike {
  readonly url: string;
  binaryType = 'blob';
  readyState = 0;
  readonly sent: string[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(url: string) {
    this.url = url;
  }

  get query(): URLSearchParams {
    return new URL(this.url).searchParams;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  message(...messages: (object | string)[]): void {
    for (const message of messages) {
      this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) });
    }
  }

  fail(): void {
    this.onerror?.();
    this.lose();
  }

  lose(code = 1006, reason = ''): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.closed = true;
    this.readyState = 2;
  }
}

/** See the file comment. */
export class FakePlatform implements Platform {
  readonly sockets: FakeSocket[] = [];
  readonly WebSocket: Platform['WebSocket'];
  timeMs = 1_700_000_000_000;
  chance = 0.5;
  /** Answers to plain requests; undefined: no network. */
  response: { status: number; body?: string; headers?: Record<string, string> } | undefined;
  /** What a plain request fails with where there is no network. */
  fetchError: Error = new TypeError('fetch failed');
  readonly fetched: string[] = [];
  readonly #timers = new Map<object, { dueMs: number; call: () => void }>();

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    };
  }

  get socket(): FakeSocket {
    return this.sockets[this.sockets.length - 1];
  }

  get timers(): number {
    return this.#timers.size;
  }

  readonly nowMs = (): number => this.timeMs;
  readonly random = (): number => this.chance;
  readonly warned: string[] = [];
  readonly warn = (text: string): void => void this.warned.push(text);

  readonly setTimeout = (call: () => void, ms: number): object => {
    const timer = {};
    this.#timers.set(timer, { dueMs: this.timeMs + ms, call });
    return timer;
  };

  readonly clearTimeout = (timer: unknown): void => void this.#timers.delete(timer as object);

  readonly fetch = async (url: string): Promise<Response> => {
    this.fetched.push(url);
    if (this.response === undefined) throw this.fetchError;
    const { status, body = '', headers = {} } = this.response;
    return new Response(body, { status, headers });
  };

  /** Moves time on, running what falls due in its order. */
  async pass(ms: number): Promise<void> {
    const endMs = this.timeMs + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].filter(([, { dueMs }]) => dueMs <= endMs);
      if (due.length === 0) break;
      const [timer, { dueMs, call }] = due.reduce((a, b) => (b[1].dueMs < a[1].dueMs ? b : a));
      this.#timers.delete(timer);
      this.timeMs = Math.max(this.timeMs, dueMs);
      call();
    }
    this.timeMs = endMs;
    await settle();
  }
}

/** A stream on a platform in the hands of the test, and what it has noticed. */
export function startStream(options: Partial<SubscribeOptions> = {}) {
  const platform = new FakePlatform();
  const notices: StreamNotice[] = [];
  const stream = subscribe({
    url: 'ws://server.example',
    platform,
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  return { platform, stream, notices };
}
