// A TCP proxy in front of a server that comes and goes: one address for the client, whatever port the server has next,
// and connections that break wherever they are.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** See the file comment; `await using` closes it. */
export class TcpProxy implements AsyncDisposable {
  readonly #server = createServer((socket) => this.#accept(socket));
  readonly #sockets = new Set<Socket>();
  /** Port of the server; 0: connections are refused. */
  target: number;
  /** Bytes to the client after which each connection breaks, the next one's first; then none breaks. */
  readonly breakAfterBytes: number[] = [];

  private constructor(target: number) {
    this.target = target;
  }

  static async listen(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resets every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.cut();
  }

  #accept(client: Socket): void {
    if (this.target === 0) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.target, '127.0.0.1');
    let left = this.breakAfterBytes.shift() ?? Number.POSITIVE_INFINITY;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    client.pipe(server);
    server.on('data', (data: Buffer) => {
      client.write(data.subarray(0, Math.min(left, data.length)));
      left -= data.length;
      if (left <= 0) client.end();
    });
    client.on('finish', () => server.destroy());
  }
}
