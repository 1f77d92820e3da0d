// DID documents from files, for checks without a network: a folder with one a file, `<did>.json`, or one file with all of them, an
// object with a document for each DID.

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type CodedError, UsageError } from '../../lib/errors.ts';
import { signingKeyOf } from '../../lib/identity/did-document.ts';
import type { KeysOfTime } from '../../lib/identity/key-resolver.ts';
import type { KeyLack } from '../../lib/verify/commit-check.ts';
import type { VerifyingKey } from '../../lib/verify/verifying-key.ts';

/** Where the keys of accounts come from. */
export interface KeySource {
  /** The account's key, or why there is none. */
  keyOf(did: string): Promise<VerifyingKey | KeyLack>;
  /** The same, read again if it may be out of date. Absent where there is nothing newer. */
  recheck?(did: string, seenMs: number): Promise<VerifyingKey | KeyLack>;
  /** Is told that the account said, at that time, that something about it changed. Absent where nothing is read again. */
  doubt?(did: string, timeMs: number): Promise<void>;
  /** What the account may have signed with at that time. Absent where only the present is known. */
  keysAt?(did: string, timeMs: number, seenMs: number): Promise<KeysOfTime>;
}

/** Bytes of a file that are read; documents have a few hundred each. */
const fileBytesMax = 512 * 1024 * 1024;
/** What of a DID may be a part of a file's name; no other account has a document here. */
const didPattern = /^did:[a-z]+:[a-zA-Z0-9._:%-]{1,200}$/;

/** See the file comment. */
export class DocumentFiles implements KeySource {
  readonly #path: string;
  readonly #documents: ReadonlyMap<string, unknown> | undefined;

  private constructor(path: string, documents: ReadonlyMap<string, unknown> | undefined) {
    this.#path = path;
    this.#documents = documents;
  }

  /** @throws UsageError `VERIFY_DOCUMENTS_INVALID` when there is neither a folder nor a file of documents. */
  static async open(path: string): Promise<DocumentFiles> {
    try {
      const { size } = await stat(path);
      const isFolder = (await stat(path)).isDirectory();
      if (isFolder) return new DocumentFiles(path, undefined);
      if (size > fileBytesMax) throw new RangeError(`${size} bytes; at most ${fileBytesMax} are read`);
      const parsed: unknown = JSON.parse(await readFile(path, 'utf8'));
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
        throw new TypeError('not an object with a document for each DID');
      return new DocumentFiles(path, new Map(Object.entries(parsed)));
    } catch (cause) {
      throw invalid(path, cause);
    }
  }

  async keyOf(did: string): Promise<VerifyingKey | KeyLack> {
    const document = this.#documents === undefined ? await this.#readFile(did) : this.#documents.get(did);
    if (document === undefined) return 'key_unknown';
    const key = signingKeyOf(document, did);
    return key === 'wrong_did' ? 'key_unknown' : key;
  }

  async #readFile(did: string): Promise<unknown> {
    if (!didPattern.test(did)) return undefined;
    const path = join(this.#path, `${did}.json`);
    try {
      return JSON.parse(await readFile(path, 'utf8'));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw invalid(path, cause);
    }
  }
}

function invalid(path: string, cause: unknown): CodedError {
  const text = `${path}: ${(cause as Error).message}; give a folder of <did>.json, or a file with all documents by DID`;
  return new UsageError('VERIFY_DOCUMENTS_INVALID', text, { cause });
}
