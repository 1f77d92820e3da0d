// Where the keys of one run come from, as its flags say, and what has to be closed after it.

import { KeyResolver } from '../../lib/identity/key-resolver.ts';
import { KeyStore } from '../../lib/identity/key-store.ts';
import { DocumentFiles, type KeySource } from './document-files.ts';

/** The flags; one of the first two is there. */
export interface KeyFlags {
  readonly didDocuments: string | undefined;
  readonly plcUrl: string | undefined;
  readonly didWebUrl: string | undefined;
  readonly keyCache: string | undefined;
}

/** See the file comment. */
export class KeysOfRun {
  readonly source: KeySource;
  readonly #resolver: KeyResolver | undefined;
  readonly #store: KeyStore | undefined;

  private constructor(source: KeySource, resolver?: KeyResolver, store?: KeyStore) {
    this.source = source;
    this.#resolver = resolver;
    this.#store = store;
  }

  /** @throws CodedError `VERIFY_DOCUMENTS_INVALID`, `IDENTITY_BAD_URL`, `LOG_` codes of the cache. */
  static async open({ didDocuments, plcUrl, didWebUrl, keyCache }: KeyFlags): Promise<KeysOfRun> {
    if (plcUrl === undefined) return new KeysOfRun(await DocumentFiles.open(didDocuments as string));
    const store = keyCache === undefined ? undefined : await KeyStore.open(keyCache);
    const resolver = new KeyResolver({ plcUrl, webUrl: didWebUrl, store });
    return new KeysOfRun(resolver, resolver, store);
  }

  async close(): Promise<void> {
    this.#resolver?.close();
    await this.#store?.close();
  }
}
