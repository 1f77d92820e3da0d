// What lies between a node and the NATS servers: connections that can be cut, or stand still, without either end being told.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way to each of the servers. */
export class CutLink {
  readonly urls: string;
  readonly #servers: readonly Server[];
  readonly #sockets = new Set<Socket>();
  #mode: 'open' | 'cut' | 'still' = 'open';

  private constructor(urls: string, servers: readonly Server[], sockets: Set<Socket>) {
    this.urls = urls;
    this.#servers = servers;
    this.#sockets = sockets;
  }

  static async begin(ports: readonly number[]): Promise<CutLink> {
    const sockets = new Set<Socket>();
    const self: { link?: CutLink } = {};
    const servers = ports.map((port) =>
      createServer((near) => self.link?.join(near, port)).listen(0, '127.0.0.1'),
    );
    for (const server of servers) if (!server.listening) await once(server, 'listening');
    const urls = servers.map((server) => `nats://127.0.0.1:${(server.address() as { port: number }).port}`);
    self.link = new CutLink(urls.join(','), servers, sockets);
    return self.link;
  }

  /** Used by its own listeners. */
  join(near: Socket, port: number): void {
    near.on('error', () => {});
    if (this.#mode === 'cut') {
      near.destroy();
      return;
    }
    const far = connect(port, '127.0.0.1');
    far.on('error', () => {});
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      this.#sockets.add(one);
      one.pipe(other);
      one.once('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    if (this.#mode === 'still') this.still();
  }

  /** Ends all connections, and refuses others. */
  cut(): void {
    this.#mode = 'cut';
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing comes through, and nobody is told. */
  still(): void {
    this.#mode = 'still';
    for (const socket of this.#sockets) socket.pause();
  }

  open(): void {
    this.#mode = 'open';
    for (const socket of this.#sockets) socket.resume();
  }

  end(): void {
    this.cut();
    for (const server of this.#servers) server.close();
  }
}
