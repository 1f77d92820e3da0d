// The key that an account signs with: from memory, from disk, or from where the account's DID says: the PLC directory, or a host of its
// own. It owns how long an answer is good, that what is not there is not asked for again and again, and what happens while nobody answers.

import { setTimeout as delay } from 'node:timers/promises';
import type { KeyLack } from '../verify/commit-check.ts';
import { isSameKey, type VerifyingKey } from '../verify/verifying-key.ts';
import { keysAt, leewayMs } from './audit-log.ts';
import { signingKeyOf } from './did-document.ts';
import { Directory, type DirectoryOptions, isPlc } from './directory.ts';
import type { Answer } from './document-request.ts';
import { KeyHistories, type KeyHistory, lackOf, parsed } from './key-histories.ts';
import type { KeyStore } from './key-store.ts';
import type { PlcOperation } from './plc-operation.ts';

/** How long a key is good without being looked at again; shorter where there was a reason to doubt it. */
const keyAgeMsMax = 24 * 3_600_000;
/** How soon an account whose signatures do not fit is asked about again; who wants to know waits. */
const recheckMs = 5_000;
/** Of what is not there, and of who does not answer: doubling from the first to the last. */
const absentMs = [5 * 60_000, 3_600_000] as const;
const failedMs = [30_000, 5 * 60_000] as const;
/** Accounts that are kept in memory, 3.5 KB each once their key is used. */
const knownMax = 8_192;
/** Accounts whose operations were heard last. */
const heardMax = 8_192;
/** How long before an account says that something changed the directory may have told of it. */
const heardBeforeMs = 5 * 60_000;
export interface ResolverOptions extends Omit<DirectoryOptions, 'nowMs'> {
  /** Where keys survive a restart. The caller's to close. */
  readonly store?: KeyStore | undefined;
  readonly nowMs?: () => number;
  /** For tests: see {@link KeyResolver.recheck}. */
  readonly recheckMs?: number;
}

/** What is known of an account. */
export interface Known {
  /** Undefined when there was none. */
  readonly key: VerifyingKey | undefined;
  /** Why there is none. */
  readonly lack: KeyLack;
  /** Up to when this stands without a look, in milliseconds since 1970. */
  readonly untilMs: number;
  /** When it was asked for, in milliseconds since 1970. */
  readonly askedMs: number;
  /** Whatever had changed by then is known: when it was asked for, or when a cache on the way had asked. */
  readonly readMs: number;
  /** Since when it has had no other key, as far as is known. */
  readonly sinceMs: number;
  /** Looks in a row that brought nothing. */
  readonly failures: number;
  /** Whether the key may have been changed: then it is not good until it has been read again. */
  readonly isDoubtful: boolean;
}

/** What an account may have signed with at a time. */
export interface KeysOfTime {
  /** The likeliest first. */
  readonly keys: readonly VerifyingKey[];
  /** Why there may have been others: then nobody is refuted whose signature fits none of these. */
  readonly lack: KeyLack | undefined;
}

/** See the file comment. */
export class KeyResolver {
  readonly #directory: Directory;
  readonly #store: KeyStore | undefined;
  readonly #nowMs: () => number;
  readonly #recheckMs: number;
  /** The one that was asked for longest ago comes first. */
  readonly #known = new Map<string, Known>();
  readonly #histories: KeyHistories;
  readonly #looking = new Map<string, Promise<Known>>();
  /** The one that was heard last comes last. */
  readonly #heard = new Map<string, Known>();
  #isCovered: (readMs: number) => boolean = () => false;

  /** @throws UsageError `IDENTITY_BAD_URL` */
  constructor({ store, nowMs, recheckMs: restMs, ...directory }: ResolverOptions) {
    this.#store = store;
    this.#recheckMs = restMs ?? recheckMs;
    this.#nowMs = nowMs ?? Date.now;
    this.#directory = new Directory({ ...directory, nowMs: this.#nowMs });
    this.#histories = new KeyHistories(this.#directory, this.#nowMs);
  }

  /** The account's key as far as it is known, or why there is none. Never rejects for what is not ours. */
  async keyOf(did: string): Promise<VerifyingKey | KeyLack> {
    const known = await this.#recall(did);
    return resultOf(known !== undefined && this.#isFresh(did, known) ? known : await this.#look(did, known));
  }

  /**
   * The key, or why there is none, if memory has it. One that is only old is good, and read again behind: nobody waits for that, as
   * with {@link keyOf}. Undefined: {@link keyAtHand} has it, later.
   */
  peek(did: string): VerifyingKey | KeyLack | undefined {
    const known = this.#known.get(did);
    if (known === undefined) return undefined;
    if (this.#isFresh(did, known)) return resultOf(known);
    if (known.key === undefined || known.isDoubtful) return undefined;
    void this.#look(did, known);
    return known.key;
  }

  /** As {@link keyOf}, but for a key that is only old, on disk too: see {@link peek}. */
  async keyAtHand(did: string): Promise<VerifyingKey | KeyLack> {
    await this.#recall(did);
    return this.peek(did) ?? this.keyOf(did);
  }

  /**
   * The key as it was read after a frame came whose signature did not fit: an earlier answer says nothing of it, for the account may have
   * changed its key in between. Read at most once in five seconds; waits for that, but not for who has just not answered.
   * @param seenMs when the frame came, in milliseconds since 1970.
   */
  async recheck(did: string, seenMs: number): Promise<VerifyingKey | KeyLack> {
    await this.#recall(did);
    const known = await this.#readSince(
      Math.min(seenMs, this.#nowMs()),
      () => this.#known.get(did),
      () => this.#readAnew(did),
    );
    return typeof known === 'string' ? known : resultOf(known);
  }

  /** Why nobody answers, if so. */
  async #readAnew(did: string): Promise<KeyLack | undefined> {
    const failed = (): KeyLack | undefined => {
      const known = this.#known.get(did);
      const isFailure = known?.lack === 'lookup_failed' || known?.lack === 'limited';
      return isFailure && this.#nowMs() < known.untilMs ? known.lack : undefined;
    };
    const lack = failed();
    if (lack !== undefined) return lack;
    await this.doubt(did);
    await this.keyOf(did);
    return failed();
  }

  /**
   * The account has said that something about it changed: the next who asks waits until it has been read again.
   * @param timeMs when it said so, milliseconds since 1970: what was read later stands. By default nothing does.
   */
  async doubt(did: string, timeMs = Number.POSITIVE_INFINITY): Promise<void> {
    const known = await this.#recall(did);
    if (known === undefined || known.readMs > timeMs) return;
    // The directory has told of the change before the account did.
    const heard = this.#heard.get(did);
    const isTold =
      heard !== undefined && heard.readMs > timeMs - heardBeforeMs && this.#isCovered(heard.readMs);
    if (isTold && Number.isFinite(timeMs)) return;
    if (known.key === undefined) this.#known.delete(did);
    else this.#remember(did, { ...known, untilMs: 0, failures: 0, isDoubtful: true });
    await this.#store?.delete(did);
  }

  /**
   * The keys that the account may have signed with at that time. Only the directory knows what was; of other methods, and where it has no
   * history, it is the key of now, and what was seen of it before. The account's clock and ours may be far apart: what was read before the
   * commit came says nothing, however old the commit claims to be, and what claims to be of later is of then.
   * @param seenMs as of {@link recheck}.
   */
  async keysAt(did: string, claimedMs: number, seenMs: number): Promise<KeysOfTime> {
    const timeMs = Math.min(claimedMs, seenMs);
    const history = isPlc(did) ? await this.#historySince(did, seenMs) : undefined;
    const { changes } = typeof history === 'object' ? history : { changes: [] };
    // Of many only so many are looked at, and it may be our clock that is behind.
    const keys = [...new Set([...keysAt(changes, claimedMs), ...keysAt(changes, timeMs)])];
    if (keys.length > 0) return { keys, lack: undefined };
    const lack = typeof history === 'string' ? history : undefined;
    const newest = await this.recheck(did, seenMs);
    if (typeof newest === 'string') return { keys, lack: lack ?? newest };
    if (isPlc(did)) return { keys: [newest], lack };
    const { sinceMs = Number.POSITIVE_INFINITY } = this.#known.get(did) ?? {};
    return { keys: [newest], lack: sinceMs <= timeMs - leewayMs ? undefined : 'key_unknown' };
  }

  #historySince(did: string, seenMs: number): Promise<KeyHistory | KeyLack> {
    return this.#readSince(
      Math.min(seenMs, this.#nowMs()),
      () => this.#histories.peek(did),
      () => this.#histories.read(did),
    );
  }

  /** What was read since then; else it is read, once it may be. @param read says why it came to nothing. */
  async #readSince<T extends Pick<Known, 'askedMs' | 'readMs'>>(
    sinceMs: number,
    peek: () => T | undefined,
    read: () => Promise<T | KeyLack | undefined>,
  ): Promise<T | KeyLack> {
    const known = (): T | undefined => {
      const found = peek();
      return found !== undefined && this.#isSince(found, sinceMs) ? found : undefined;
    };
    // A look that was under way when the frame came is of before; the one after it is not.
    for (let looks = 0; looks < 2 && known() === undefined; looks++) {
      await this.#rest(peek());
      // Somebody else may have had it read meanwhile.
      const answer = known() ?? (await read());
      if (typeof answer === 'string') return answer;
    }
    return known() ?? 'key_unknown';
  }

  /** What was read in the future was read by another clock. */
  #isSince({ readMs }: Pick<Known, 'readMs'>, sinceMs: number): boolean {
    return readMs >= sinceMs && readMs <= this.#nowMs();
  }

  /** Until it may be read again. */
  async #rest(known: Pick<Known, 'askedMs'> | undefined): Promise<void> {
    const ms = known === undefined ? 0 : known.askedMs + this.#recheckMs - this.#nowMs();
    // Nobody's end waits for it.
    if (ms > 0 && ms <= this.#recheckMs) await delay(ms, undefined, { ref: false });
  }

  /** The directory tells of an operation: the account has that key now. What is being read meanwhile may be older. */
  hear({ did, key }: PlcOperation): Known {
    const readMs = this.#nowMs();
    const untilMs = readMs + (key === undefined ? absentMs[0] : keyAgeMsMax);
    const times = { untilMs, askedMs: readMs, readMs, sinceMs: readMs };
    const known: Known = { key, lack: 'no_key', ...times, failures: 0, isDoubtful: false };
    this.#heard.delete(did);
    this.#heard.set(did, known);
    if (this.#heard.size > heardMax) this.#heard.delete(this.#heard.keys().next().value as string);
    if (this.#known.has(did)) this.#remember(did, known);
    return known;
  }

  /** Keys of the directory that were read, or heard, at such a time do not age while `isCovered` says so. */
  trust(isCovered: (readMs: number) => boolean): void {
    this.#isCovered = isCovered;
  }

  /** A page of the directory's export, asked for with its manners. @throws CodedError `IDENTITY_` codes. */
  askExport(query: string): Promise<Answer> {
    return this.#directory.askForExport(query);
  }

  #isFresh(did: string, { key, untilMs, readMs, isDoubtful }: Known): boolean {
    if (this.#nowMs() < untilMs) return true;
    return key !== undefined && !isDoubtful && isPlc(did) && this.#isCovered(readMs);
  }

  /** Refuses what waits; for the end. */
  close(): void {
    this.#directory.close();
  }

  async #recall(did: string): Promise<Known | undefined> {
    const known = this.#known.get(did);
    if (known !== undefined) return known;
    const heard = this.#heard.get(did);
    if (heard !== undefined) {
      this.#remember(did, heard);
      return heard;
    }
    const stored = await this.#store?.get(did);
    if (stored === undefined) return this.#known.get(did);
    // What was read in the future was read by another clock: who knows when.
    const untilMs = stored.readMs > this.#nowMs() ? 0 : stored.readMs + keyAgeMsMax;
    const recalled = { ...stored, untilMs, lack: 'key_unknown', failures: 0, isDoubtful: false } as const;
    return this.#remember(did, { ...recalled, askedMs: stored.readMs, sinceMs: stored.readMs });
  }

  #remember(did: string, known: Known): Known {
    this.#known.delete(did);
    this.#known.set(did, known);
    if (this.#known.size > knownMax) this.#known.delete(this.#known.keys().next().value as string);
    return known;
  }

  /** Asks, once however many want to know. */
  #look(did: string, before: Known | undefined): Promise<Known> {
    let looking = this.#looking.get(did);
    if (looking === undefined) {
      looking = this.#read(did, before).finally(() => this.#looking.delete(did));
      this.#looking.set(did, looking);
    }
    return looking;
  }

  async #read(did: string, before: Known | undefined): Promise<Known> {
    const failures = (before?.failures ?? 0) + 1;
    const heardBefore = this.#heard.get(did);
    // What changes while it is asked for may not be in the answer.
    const askedMs = this.#nowMs();
    let known: Known;
    try {
      const { status, body, ageMs } = await this.#directory.askFor(did);
      const found = status === 200 ? signingKeyOf(parsed(body), did) : 'wrong_did';
      if (status !== 200 && status !== 404 && status !== 410) throw new Error(`status ${status}`);
      const read = { askedMs, readMs: askedMs - ageMs, isDoubtful: false };
      if (typeof found === 'string') {
        const lack = found === 'no_key' ? 'no_key' : 'key_unknown';
        const untilMs = askedMs + doubled(absentMs, failures);
        known = { key: undefined, lack, untilMs, ...read, sinceMs: askedMs, failures };
        await this.#store?.delete(did);
      } else {
        const untilMs = askedMs + keyAgeMsMax;
        const sinceMs = before !== undefined && isSameKey(before.key, found) ? before.sinceMs : askedMs;
        known = { key: found, lack: 'key_unknown', untilMs, ...read, sinceMs, failures: 0 };
        await this.#store?.put(did, { key: found, readMs: read.readMs });
      }
    } catch (error) {
      // A key that nobody has doubted stays good while nobody answers.
      const { key, askedMs: askedBeforeMs = 0, readMs = 0, sinceMs = 0, isDoubtful = false } = before ?? {};
      const untilMs = this.#nowMs() + doubled(failedMs, failures);
      const times = { untilMs, askedMs: askedBeforeMs, readMs, sinceMs };
      known = { key, lack: lackOf(error), ...times, failures, isDoubtful };
    }
    // Another server of the directory may be behind what it has told meanwhile.
    const heard = this.#heard.get(did);
    if (heard !== undefined && heard !== heardBefore) known = heard;
    return this.#remember(did, known);
  }
}

function resultOf({ key, lack, isDoubtful }: Known): VerifyingKey | KeyLack {
  return key === undefined || isDoubtful ? lack : key;
}

/** Doubles from the first with every failure, up to the last. */
function doubled([firstMs, lastMs]: readonly [number, number], failures: number): number {
  return Math.min(lastMs, firstMs * 2 ** (failures - 1));
}
