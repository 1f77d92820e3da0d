// What the client needs from where it runs: a WebSocket, plain HTTP, timers, a clock, chance. Node, browsers and workers
// have them; others, and tests, hand in their own.

import { UsageError } from '../../lib/errors.ts';

/** The part of a WebSocket that is used. What handlers take is said where they are: each library has types of its own. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** What a WebSocket is asked for where that can be said. */
export interface WebSocketOptions {
  readonly perMessageDeflate: boolean;
  /** Bytes of a message. */
  readonly maxPayload: number;
}

/** The part of an HTTP answer that is used. */
export interface ResponseLike {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** Where it is there, no more is read than is wanted. */
  readonly body?: {
    getReader(): {
      read(): Promise<{ readonly value?: Uint8Array | undefined }>;
      cancel(): Promise<void>;
    };
  } | null;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** See the file comment. */
export interface Platform {
  /** Called with options that the package ws understands, and others pass over. */
  readonly WebSocket: new (
    url: string,
    protocols?: string[],
    options?: WebSocketOptions,
  ) => WebSocketLike;
  fetch(url: string, options: { signal: AbortSignal }): Promise<ResponseLike>;
  setTimeout(call: () => void, ms: number): unknown;
  /** Takes what `setTimeout` gave, or undefined. */
  clearTimeout(timer: unknown): void;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Tells a developer what nobody else hears: see `warnings.ts`. */
  warn(text: string): void;
}

/** What every runtime with web interfaces has. Read at use, so that a page can put a WebSocket of its own in place. */
export function globalPlatform(): Platform {
  return {
    WebSocket: globalThis.WebSocket as unknown as Platform['WebSocket'],
    fetch: (url, options) => globalThis.fetch(url, options),
    setTimeout: (call, ms) => setTimeout(call, ms),
    clearTimeout: (timer) => clearTimeout(timer as Parameters<typeof clearTimeout>[0]),
    nowMs: Date.now,
    random: Math.random,
    warn: (text) => console.warn(text),
  };
}

/**
 * Looks for what cannot be done without. @throws UsageError `CLIENT_NO_WEBSOCKET`: as on Node.js before 22, where the package ws can be
 * given for it.
 */
export function checkPlatform({ WebSocket }: Pick<Platform, 'WebSocket'>): void {
  if (typeof WebSocket === 'function') return;
  const text =
    'this runtime has no WebSocket: Node.js has one from 22 on, as have Bun, Deno, browsers and workers. ' +
    'Use one of those, or give that of the package ws as platform: { WebSocket }';
  throw new UsageError('CLIENT_NO_WEBSOCKET', text);
}
