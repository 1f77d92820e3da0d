// A server of somebody else's that speaks the v1 wire, as another side of the live figures and of replays from memory. It
// runs already; where it should read what ours reads, it is started on the relay that is kept here for it.

import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from '../lib/websocket.ts';
import { LoadClient } from './load.ts';
import { LocalProcess } from './local-process.ts';
import type { RelayFrames } from './relay-frames.ts';
import { Relay, type Target } from './servers.ts';

/** Time to start a peer by hand. */
const meetMsMax = 10 * 60_000;
const retryMs = 500;
const silenceMsMax = 5_000;
/** Events a second while something else is measured: few, but a peer must not take its relay for dead. */
const quietRate = 20;

/** Where a peer is. */
export interface PeerOptions {
  /** `ws://…`; without a path it gets `/subscribe`. */
  readonly url: string;
  /** Its process, if it is one on this machine. */
  readonly pid: number | undefined;
  /** Port for a relay that the peer reads; without one it reads another. */
  readonly relayPort: number | undefined;
}

/** See the file comment. */
export class Peer implements Target {
  readonly url: string;
  readonly process: LocalProcess | undefined;
  /** Reads a relay of ours, whose rate is set here. */
  readonly readsOurs: boolean;
  readonly #relay: Relay | undefined;
  readonly #frames: RelayFrames;

  private constructor(url: string, pid: number | undefined, relay: Relay | undefined, frames: RelayFrames) {
    this.url = url;
    this.process = pid === undefined ? undefined : new LocalProcess(pid);
    this.readsOurs = relay !== undefined;
    this.#relay = relay;
    this.#frames = frames;
  }

  /** Starts its relay, if it is to have one, and waits until the peer delivers an event. @throws after ten minutes. */
  static async meet(options: PeerOptions, frames: RelayFrames, tell: (text: string) => void): Promise<Peer> {
    const url = new URL(options.url);
    if (url.pathname === '/') url.pathname = '/subscribe';
    const { relayPort } = options;
    const rate = frames.framesFor(quietRate);
    const relay = relayPort === undefined ? undefined : await Relay.start(frames, { rate, port: relayPort });
    if (relay !== undefined) {
      tell(`the peer's relay: ${relay.url}/xrpc/com.atproto.sync.subscribeRepos\n`);
    }
    tell(`waiting for an event from ${url.href}`);
    const late = performance.now() + meetMsMax;
    while (!(await delivers(url))) {
      if (performance.now() > late) throw new Error(`${url.href} delivered nothing in ${meetMsMax} ms`);
      await delay(retryMs);
    }
    return new Peer(url.href, options.pid, relay, frames);
  }

  /** Events a second of its relay from now on, if that is ours. */
  async setRate(events: number): Promise<void> {
    await this.#relay?.setRate(this.#frames.framesFor(events));
  }

  /** Events of its relay so far, if that is ours. */
  async publishedEvents(): Promise<number> {
    return (await this.#relay?.publishedEvents()) ?? Number.NaN;
  }

  /** A cursor, and how many events there are behind it at least, after `seconds` at `rate`. */
  async remember(rate: number, seconds: number): Promise<{ cursor: number; events: number }> {
    await using crowd = await LoadClient.crowd(this, {});
    await this.setRate(rate);
    await delay(seconds * 100);
    const cursor = Date.now() * 1000;
    await delay(seconds * 100);
    const { messages } = await crowd.count(seconds);
    await this.setRate(quietRate);
    return { cursor, events: messages };
  }

  /** Leaves the peer and its relay alone until they are needed again. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.setRate(quietRate);
  }
}

/** Whether a server sends an event on a new connection, and soon. */
function delivers(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    const silence = setTimeout(() => socket.terminate(), silenceMsMax);
    socket.on('error', () => {});
    socket.once('message', () => {
      resolve(true);
      socket.terminate();
    });
    socket.once('close', () => {
      clearTimeout(silence);
      resolve(false);
    });
  });
}
