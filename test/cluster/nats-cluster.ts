// NATS servers as processes of their own, which are killed, stopped and started again; and who leads the stream.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';

/** One server. */
export interface NatsServer {
  readonly name: string;
  readonly port: number;
  readonly isUp: boolean;
  start(): void;
  kill(): Promise<void>;
  /** As an operator does. */
  stop(): Promise<void>;
  freeze(isFrozen: boolean): void;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

class Server implements NatsServer {
  readonly name: string;
  readonly port: number;
  readonly #start: () => ChildProcess;
  #child: ChildProcess | undefined;

  constructor(name: string, port: number, start: () => ChildProcess) {
    this.name = name;
    this.port = port;
    this.#start = start;
  }

  get isUp(): boolean {
    return this.#child !== undefined;
  }

  start(): void {
    const child = this.#start();
    this.#child = child;
    running.add(child);
    child.once('exit', () => {
      running.delete(child);
      if (this.#child === child) this.#child = undefined;
    });
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  freeze(isFrozen: boolean): void {
    this.#child?.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

/** See the file comment. */
export class NatsCluster {
  readonly servers: readonly NatsServer[];

  private constructor(servers: readonly NatsServer[]) {
    this.servers = servers;
  }

  /** Starts them. @param binary of the server. @param dir for their stores and logs. @param more of the configuration. @param fileStore what streams may take. @param sync how often they are on the disk for certain. */
  static async begin(
    binary: string,
    dir: string,
    count = 3,
    more = '',
    fileStore = '8GB',
    sync = 'always',
  ): Promise<NatsCluster> {
    const ports = await freePorts(count * 2);
    const routes = ports.slice(count).map((port) => `nats://127.0.0.1:${port}`);
    const servers = Array.from({ length: count }, (_, at) => {
      const name = `nats-${at + 1}`;
      const config = join(dir, `${name}.conf`);
      writeFileSync(
        config,
        `${configOf(name, ports[at], ports[count + at], routes, join(dir, name), { fileStore, sync })}${more}\n`,
      );
      const log = openSync(join(dir, `${name}.log`), 'a');
      const env = { ...process.env, GOMAXPROCS: '1', GOMEMLIMIT: '128MiB' };
      return new Server(name, ports[at], () =>
        spawn(binary, ['-c', config], { env, stdio: ['ignore', log, log] }),
      );
    });
    for (const server of servers) server.start();
    return new NatsCluster(servers);
  }

  /** The server that leads the stream of blocks; undefined when nobody says. */
  async leader(stream = 'SLIPSTREAM_main'): Promise<NatsServer | undefined> {
    try {
      const servers = this.servers.filter(({ isUp }) => isUp).map(({ port }) => `127.0.0.1:${port}`);
      const connection = await connect({ servers, timeout: 1_000, maxReconnectAttempts: 0 });
      try {
        const answer = await connection.request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: 1_000 });
        const { cluster } = answer.json<{ cluster?: { leader?: string } }>();
        return this.servers.find(({ name }) => name === cluster?.leader);
      } finally {
        await connection.close();
      }
    } catch {
      return undefined;
    }
  }

  async end(): Promise<void> {
    for (const server of this.servers) server.freeze(false);
    await Promise.all(this.servers.map((server) => server.kill()));
  }
}

function configOf(
  name: string,
  port: number,
  clusterPort: number,
  routes: readonly string[],
  store: string,
  { fileStore, sync }: { readonly fileStore: string; readonly sync: string },
): string {
  const cluster =
    routes.length === 1
      ? ''
      : `cluster { name: test, listen: "127.0.0.1:${clusterPort}", no_advertise: true, routes: ${JSON.stringify(routes)} }`;
  return `server_name: ${name}
listen: "127.0.0.1:${port}"
max_payload: 8MB
jetstream { store_dir: "${store}", sync_interval: ${sync}, max_file_store: ${fileStore}, max_memory_store: 64MB }
${cluster}
`;
}

/** Ports that nobody listens on at the moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening');
    ports.push((server.address() as { port: number }).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
