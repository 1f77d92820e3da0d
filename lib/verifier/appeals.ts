// A second look at what would be refuted: with the key read again, with the keys of the commit's time, and by the software of the
// protocol's authors. It takes a request or more, and 3 ms, so it waits beside the stream, in bounded number.

import { Frame } from '../decode/frame.ts';
import type { KeyResolver } from '../identity/key-resolver.ts';
import type { ChainLink } from '../verify/chain.ts';
import { CommitCheck, type CommitFinding, type KeyLack } from '../verify/commit-check.ts';
import { linkOf } from '../verify/commit-link.ts';
import type { SignatureChecker } from '../verify/signature.ts';
import type { VerifyingKey } from '../verify/verifying-key.ts';

/** Appeals at a time, and bytes of their frames. */
const openMax = 64;
const openBytesMax = 8 * 1024 * 1024;
/** Second opinions in a second, 3 ms each. */
const opinionsPerSecondMax = 50;

/** Where keys come from; a {@link KeyResolver}. */
export type AppealKeys = Pick<KeyResolver, 'recheck' | 'keysAt'>;

/** What an appeal came to. */
export interface Appealed {
  readonly finding: CommitFinding;
  readonly link: ChainLink;
}

/** See the file comment. */
export class Appeals {
  readonly #keys: AppealKeys;
  readonly #check: CommitCheck;
  readonly #frame = new Frame();
  readonly #nowMs: () => number;
  #open = 0;
  #openBytes = 0;
  #opinions = 0;
  #secondEndMs = 0;

  constructor(keys: AppealKeys, signatures: SignatureChecker, nowMs: () => number) {
    this.#keys = keys;
    this.#check = new CommitCheck(signatures);
    this.#nowMs = nowMs;
  }

  /**
   * Looks again at a frame that was found so; undefined when too many are being looked at. Never rejects.
   * @param bytes copied. @param key that it was found with. @param seenMs when it came, in milliseconds since 1970.
   */
  open(
    bytes: Uint8Array,
    did: string,
    finding: CommitFinding,
    key: VerifyingKey | undefined,
    seenMs: number,
  ): Promise<Appealed> | undefined {
    if (this.#open >= openMax || this.#openBytes + bytes.length > openBytesMax) return undefined;
    this.#open++;
    this.#openBytes += bytes.length;
    return this.#judge(Uint8Array.from(bytes), did, finding, key, seenMs).finally(() => {
      this.#open--;
      this.#openBytes -= bytes.length;
    });
  }

  async #judge(
    bytes: Uint8Array,
    did: string,
    finding: CommitFinding,
    key: VerifyingKey | undefined,
    seenMs: number,
  ): Promise<Appealed> {
    let newest = key;
    if (finding === 'bad_signature') {
      const timeMs = this.#look(bytes, key).revTimeUs / 1000;
      const { keys, lack } = await this.#keysOf(did, timeMs, seenMs);
      for (const other of keys) {
        const found = this.#look(bytes, other).finding;
        if (found === 'bad_signature') continue;
        // The next commit should not have to go this way.
        void this.#keys.recheck(did, seenMs);
        return this.#appealed(found);
      }
      if (lack !== undefined) return this.#appealed(lack);
      newest = keys[0] ?? key;
    }
    const opinion = await this.#secondOpinion(bytes, newest);
    this.#look(bytes, newest);
    return this.#appealed(opinion === 'refuted' ? finding : opinion);
  }

  /**
   * What it may have been signed with, as that was known when it had come, the likeliest first; nobody is refuted who has something else
   * while there is a `lack`.
   */
  async #keysOf(
    did: string,
    timeMs: number,
    seenMs: number,
  ): Promise<{ readonly keys: readonly VerifyingKey[]; readonly lack: KeyLack | undefined }> {
    const keys = await this.#keys.keysAt(did, timeMs, seenMs);
    if (typeof keys !== 'string' && keys.length > 0) return { keys, lack: undefined };
    // Of accounts that are not did:plc only the present can be asked for.
    const newest = await this.#keys.recheck(did, seenMs);
    if (typeof newest === 'string') return { keys: [], lack: typeof keys === 'string' ? keys : newest };
    return { keys: [newest], lack: typeof keys === 'string' ? keys : undefined };
  }

  /** Reads and checks it, for the next line alone: others come in between. */
  #look(
    bytes: Uint8Array,
    key: VerifyingKey | undefined,
  ): { readonly finding: CommitFinding; readonly revTimeUs: number } {
    this.#frame.read(bytes);
    const finding = this.#check.check(this.#frame, key ?? 'key_unknown');
    return { finding, revTimeUs: this.#check.revTimeUs };
  }

  #appealed(finding: CommitFinding): Appealed {
    return { finding, link: linkOf(this.#frame, this.#check, finding) };
  }

  async #secondOpinion(
    bytes: Uint8Array,
    key: VerifyingKey | undefined,
  ): Promise<'refuted' | 'disputed' | 'limited'> {
    const nowMs = this.#nowMs();
    if (nowMs >= this.#secondEndMs) {
      this.#secondEndMs = nowMs + 1000;
      this.#opinions = 0;
    }
    if (++this.#opinions > opinionsPerSecondMax) return 'limited';
    // Most processes do without, and the packages take a quarter of a second to load.
    const { secondOpinion } = await import('../verify/second-opinion.ts');
    return (await secondOpinion(bytes, key)) === 'refuted' ? 'refuted' : 'disputed';
  }
}
