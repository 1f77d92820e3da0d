// A second look at what would be refuted: with the key read again, with the keys of the commit's time, and by the software of the
// protocol's authors. It takes a request or more, and 3 ms, so it waits beside the stream, in bounded number.

import { Frame } from '../decode/frame.ts';
import type { KeyResolver } from '../identity/key-resolver.ts';
import type { ChainLink } from '../verify/chain.ts';
import { CommitCheck, type CommitFinding } from '../verify/commit-check.ts';
import { linkOf } from '../verify/commit-link.ts';
import type { SignatureChecker } from '../verify/signature.ts';
import type { VerifyingKey } from '../verify/verifying-key.ts';

/** Appeals at a time, and bytes of their frames. */
const openMax = 64;
const openBytesMax = 8 * 1024 * 1024;
/** Second opinions in a second, 3 ms each, and the time for them: those of frames made for it take up to a tenth of a second. */
const opinionsPerSecondMax = 50;
const opinionMsPerSecondMax = 250;

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
  /** The opinion that was asked for last: the next waits for it. */
  #asked: Promise<unknown> = Promise.resolve();
  /** Of this second. */
  #opinions = 0;
  /** What opinions took, less what seconds since then have allowed. */
  #spentMs = 0;
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
      const { keys, lack } = await this.#keys.keysAt(did, timeMs, seenMs);
      this.#look(bytes, key);
      const signer = keys.find((other) => this.#check.isSignedBy(other));
      if (signer !== undefined) {
        // The next commit should not have to go this way.
        void this.#keys.recheck(did, seenMs);
        return this.#appealed(this.#look(bytes, signer).finding);
      }
      if (lack !== undefined) return this.#appealed(lack);
      newest = keys[0] ?? key;
    }
    const opinion = await this.#secondOpinion(bytes, newest);
    this.#look(bytes, newest);
    return this.#appealed(opinion === 'refuted' ? finding : opinion);
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

  /** One at a time, so that what comes in between is answered. */
  #secondOpinion(
    bytes: Uint8Array,
    key: VerifyingKey | undefined,
  ): Promise<'refuted' | 'disputed' | 'limited'> {
    const asked = this.#asked.then(() => this.#ask(bytes, key));
    this.#asked = asked.catch(() => {});
    return asked;
  }

  async #ask(bytes: Uint8Array, key: VerifyingKey | undefined): Promise<'refuted' | 'disputed' | 'limited'> {
    if (!this.#mayAsk()) return 'limited';
    // Most processes do without, and the packages take a quarter of a second to load.
    const { secondOpinion } = await import('../verify/second-opinion.ts');
    const startMs = performance.now();
    const opinion = await secondOpinion(bytes, key, 'refutation');
    this.#spentMs += performance.now() - startMs;
    return opinion === 'refuted' || opinion === 'limited' ? opinion : 'disputed';
  }

  #mayAsk(): boolean {
    const nowMs = this.#nowMs();
    const passedMs = nowMs - this.#secondEndMs;
    // Also by a clock that was set back.
    if (passedMs >= 0 || passedMs < -1000) {
      const seconds = Math.max(1, 1 + passedMs / 1000);
      this.#spentMs = Math.max(0, this.#spentMs - seconds * opinionMsPerSecondMax);
      this.#secondEndMs = nowMs + 1000;
      this.#opinions = 0;
    }
    return ++this.#opinions <= opinionsPerSecondMax && this.#spentMs < opinionMsPerSecondMax;
  }
}
