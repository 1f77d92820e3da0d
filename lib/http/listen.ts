// Binds an HTTP server to its address, alone or with other threads, and says what to do when that fails. Used by both listeners.

import { lookup } from 'node:dns/promises';
import type { Server } from 'node:http';
import { type AddressInfo, connect, createServer, isIPv4, type Server as NetServer } from 'node:net';
import { CodedError } from '../errors.ts';
import { formatListenAddress, type ListenAddress } from '../listen-address.ts';

const advice: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another process listens there: stop it, or choose another port.',
  EACCES: 'This user may not use that port: choose one from 1024 on, or grant CAP_NET_BIND_SERVICE.',
  EADDRNOTAVAIL: 'This machine has no such address: choose one of its own, or leave the host out.',
  ENOTFOUND: 'The host name is unknown: give an IP address, or leave the host out.',
};

/**
 * Connections that may wait to be accepted, as far as the system allows it (`net.core.somaxconn`): who finds no room there tries again
 * after a second, then three, and seven, and may be reset after a minute. Of 10,000 that came at once to a thread that was busy for
 * half a second, 97 were, with room for Node's usual 511.
 */
const backlogMax = 4096;

/**
 * With whom a listener shares its address: with nobody; with others like it, over which the system spreads connections; as the first,
 * which leaves it to those that come later; or as one of those. Of two sockets the system gives a connection of IPv4 to the one that knows
 * nothing else, before one of IPv6 that takes IPv4 too, although both may listen. So the first is of IPv6, the later ones are of IPv4, and
 * from the moment they listen the first gets no new connection, while handshakes that it has begun come to their end. Were they alike,
 * connections would be spread over it up to the end, and what it had not accepted by then would be reset. Where it cannot be
 * had, for clients of IPv6 and on systems without it, they are alike.
 */
export type Sharing = 'alone' | 'shared' | 'first' | 'later';

/** What IPv4 is, as an address of IPv6. */
const mappedPrefix = '::ffff:';
const everyIPv4 = '0.0.0.0';

/** What is bound. */
export interface Bound {
  readonly address: ListenAddress;
  /** A second socket, whose connections the server gets; to be closed with it. */
  readonly second: NetServer | undefined;
}

/** Resolves with what is bound, its real port included. @throws CodedError HTTP_LISTEN_FAILED. */
export async function bindShared(server: Server, address: ListenAddress, sharing: Sharing): Promise<Bound> {
  const isShared = sharing !== 'alone';
  if (sharing === 'first') {
    const bound = await bindMapped(server, address);
    if (bound !== undefined) return { address: bound, second: undefined };
  }
  const bound = await bind(server, address, isShared);
  const isSecond = sharing === 'later' && address.host === undefined && !isIPv4(hostOf(server));
  return { address: bound, second: isSecond ? await bindSecond(server, bound.port) : undefined };
}

/** Whether a bound server gets no new connection any more once later ones listen. */
export function isOutranked(server: Server): boolean {
  return hostOf(server).startsWith(mappedPrefix);
}

function hostOf(server: Server): string {
  return (server.address() as AddressInfo).address;
}

/** Binds a host of IPv4 as one of IPv6; undefined for other hosts, and where that is impossible. */
async function bindMapped(server: Server, { host, port }: ListenAddress): Promise<ListenAddress | undefined> {
  if (host === undefined) return undefined;
  try {
    const { address } = await lookup(host);
    if (!isIPv4(address)) return undefined;
    return { host, port: (await bind(server, { host: `${mappedPrefix}${address}`, port }, true)).port };
  } catch {
    // The usual way finds out why, and says it.
    return undefined;
  }
}

async function bindSecond(server: Server, port: number): Promise<NetServer> {
  // As node:http has it.
  const second = createServer({ allowHalfOpen: true, noDelay: true });
  second.on('connection', (socket) => server.emit('connection', socket));
  await bind(second, { host: everyIPv4, port }, true);
  second.on('error', (error) => server.emit('error', error));
  return second;
}

/**
 * Resolves with the address bound, its real port included.
 * @param isShared whether others who say so may listen there too: the system spreads connections over them.
 * @throws CodedError HTTP_LISTEN_FAILED.
 */
export function bind(server: NetServer, address: ListenAddress, isShared = false): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => reject(listenFailed(address, cause));
    server.once('error', failed);
    server.listen(
      {
        port: address.port,
        reusePort: isShared,
        backlog: backlogMax,
        ...(address.host === undefined ? {} : { host: address.host }),
      },
      () => {
        server.off('error', failed);
        resolve({ host: address.host, port: (server.address() as AddressInfo).port });
      },
    );
  });
}

function listenFailed(address: ListenAddress, cause: NodeJS.ErrnoException): CodedError {
  const what = `cannot listen on ${formatListenAddress(address)} (${cause.code ?? cause.message}).`;
  const todo = advice[cause.code ?? ''] ?? 'Choose another address.';
  return new CodedError('HTTP_LISTEN_FAILED', `${what} ${todo}`, { cause });
}

/** A port at which nobody answers, as a rule; whoever does is left at once. */
const nobodysPort = 1;
const everyIPv6 = '::';

/**
 * Whether an address is free, to be asked before it is shared: threads share a port with all that allow it, also with another daemon, and
 * only a socket that shares nothing finds out. It does not listen: what came to it, when a crowd comes back, would be reset. So it
 * is bound as one that is to connect, which Node tells apart. @throws CodedError HTTP_LISTEN_FAILED.
 */
export async function probe(address: ListenAddress): Promise<void> {
  const { host, port } = address;
  if (port === 0) return;
  let cause: NodeJS.ErrnoException | undefined;
  try {
    const bound = host === undefined ? everyIPv6 : (await lookup(host)).address;
    cause = await bindError(bound, port);
    // A system without IPv6.
    if (host === undefined && cause !== undefined && cause.code !== 'EADDRINUSE')
      cause = await bindError(everyIPv4, port);
  } catch (error) {
    cause = error as NodeJS.ErrnoException;
  }
  if (cause !== undefined) throw listenFailed(address, cause);
}

function bindError(localAddress: string, localPort: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: localAddress, port: nobodysPort, localAddress, localPort }, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.syscall === 'bind' ? error : undefined),
    );
  });
}
