// Binds an HTTP server to its address, and says what to do when that fails. Used by both listeners.

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
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
 * Resolves with the address bound, its real port included.
 * @param isShared whether others who say so may listen there too: the system spreads connections over them.
 * @throws CodedError HTTP_LISTEN_FAILED.
 */
export function bind(server: Server, address: ListenAddress, isShared = false): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const what = `cannot listen on ${formatListenAddress(address)} (${cause.code ?? cause.message}).`;
      const todo = advice[cause.code ?? ''] ?? 'Choose another address.';
      reject(new CodedError('HTTP_LISTEN_FAILED', `${what} ${todo}`, { cause }));
    };
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
