// A PLC directory with the keys of test accounts, on a port of its own.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** See the file comment; `await using` ends it. */
export class KeyDirectory implements AsyncDisposable {
  /** By DID: `did:key:…`. */
  readonly keys = new Map<string, string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(({ url = '' }, response) => {
      const [, did, ...rest] = url.split('/');
      const key = this.keys.get(decodeURIComponent(did));
      if (key === undefined) response.writeHead(404).end();
      else response.end(JSON.stringify(rest.length > 0 ? logOf(key) : documentOf(did, key)));
    });
  }

  static async listen(): Promise<KeyDirectory> {
    const directory = new KeyDirectory();
    await new Promise<void>((resolve) => directory.#server.listen(0, '127.0.0.1', resolve));
    return directory;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers nobody any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function documentOf(did: string, key: string): object {
  const publicKeyMultibase = key.slice('did:key:'.length);
  const method = { id: `${did}#atproto`, type: 'Multikey', controller: did, publicKeyMultibase };
  return { id: did, verificationMethod: [method] };
}

function logOf(key: string): object {
  return [{ createdAt: '2025-01-01T00:00:00Z', operation: { verificationMethods: { atproto: key } } }];
}
