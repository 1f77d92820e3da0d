// The key that an account signs with: from memory, from disk, or from where the account's DID says: the PLC directory, or a host of its
// own. It owns how long an answer is good, that what is not there is not asked for again and again, and what happens while nobody answers.

import { CodedError, UsageError } from '../errors.ts';
import { addressIn, isPublicAddress } from '../ip-address.ts';
import type { KeyLack } from '../verify/commit-check.ts';
import type { VerifyingKey } from '../verify/verifying-key.ts';
import { type KeyChange, keyChangesOf, keysAt } from './audit-log.ts';
import { signingKeyOf } from './did-document.ts';
import { type Answer, type RequestLimits, requestDocument } from './document-request.ts';
import type { KeyStore } from './key-store.ts';
import { LookupDesk } from './lookup-desk.ts';

/** How long a key is good without being looked at again; shorter where there was a reason to doubt it. */
const keyAgeMsMax = 24 * 3_600_000;
/** How soon a key that did not fit may be asked for again. */
const recheckMs = 60_000;
/** A commit of that time was made with the key that a document now has. */
const presentMs = 10 * 60_000;
/** Of what is not there, and of who does not answer: doubling from the first to the last. */
const absentMs = [5 * 60_000, 3_600_000] as const;
const failedMs = [30_000, 5 * 60_000] as const;
/** Accounts that are kept in memory, 3.5 KB each once their key is used. */
const knownMax = 8_192;
/** Histories that are kept for a minute, of usually one key. */
const historiesMax = 256;
/** The directory says no numbers; these are few beside what its own tools ask. */
const plcLimits = { concurrentMax: 4, perSecondMax: 25, waitingMax: 10_000 };
const ownLimits = { ...plcLimits, concurrentMax: 64, perSecondMax: 10_000 };
const webLimits = { concurrentMax: 16, perSecondMax: 16, waitingMax: 1_000 };
const plcRequest: RequestLimits = { timeoutMs: 10_000, bytesMax: 64 * 1024, isPublicOnly: false };
const auditRequest: RequestLimits = { ...plcRequest, bytesMax: 1024 * 1024 };
const webRequest: RequestLimits = { timeoutMs: 3_000, bytesMax: 64 * 1024, isPublicOnly: true };
/** Without a word of how long, a directory that has had enough is left alone for this; never longer than the second. */
const pauseMs = [10_000, 5 * 60_000] as const;
const attemptsMax = 3;

/** Failures in a row, whoever was asked for, after which the directory is not asked for so long: it is down. */
const plcFailuresMax = 8;
const plcDownMs = 30_000;

const plcPattern = /^did:plc:[a-z2-7]{24}$/;
const webPattern = /^did:web:((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)$/;
const webHostCharsMax = 253;

export interface ResolverOptions {
  /** Of the PLC directory: `https://plc.directory`, or a replica. One in a network of our own is asked as fast as it answers. */
  readonly plcUrl: string;
  /** Asked for did:web accounts in place of their own hosts, which it is told by `Host`: for tests. Not limited to public addresses. */
  readonly webUrl?: string | undefined;
  /** Where keys survive a restart. The caller's to close. */
  readonly store?: KeyStore | undefined;
  readonly nowMs?: () => number;
}

/** What is known of an account. */
interface Known {
  /** Undefined when there was none. */
  readonly key: VerifyingKey | undefined;
  /** Why there is none. */
  readonly lack: KeyLack;
  /** Up to when this stands without a look, in milliseconds since 1970. */
  readonly untilMs: number;
  readonly readMs: number;
  /** Looks in a row that brought nothing. */
  readonly failures: number;
  /** Whether the key may have been changed: then it is not good until it has been read again. */
  readonly isDoubtful: boolean;
}

/** See the file comment. */
export class KeyResolver {
  readonly #plcUrl: URL;
  readonly #webUrl: URL | undefined;
  readonly #store: KeyStore | undefined;
  readonly #nowMs: () => number;
  readonly #plcDesk: LookupDesk;
  readonly #webDesk = new LookupDesk(webLimits);
  /** The one that was asked for longest ago comes first. */
  readonly #known = new Map<string, Known>();
  readonly #histories = new Map<
    string,
    { readonly changes: readonly KeyChange[]; readonly readMs: number }
  >();
  readonly #looking = new Map<string, Promise<Known>>();
  #plcFailures = 0;
  #plcDownUntilMs = 0;

  /** @throws UsageError `IDENTITY_BAD_URL` */
  constructor({ plcUrl, webUrl, store, nowMs }: ResolverOptions) {
    this.#plcUrl = httpUrl(plcUrl);
    const { hostname } = this.#plcUrl;
    const isOwn =
      hostname === 'localhost' || (addressIn(hostname) !== undefined && !isPublicAddress(hostname));
    this.#plcDesk = new LookupDesk(isOwn ? ownLimits : plcLimits);
    this.#webUrl = webUrl === undefined ? undefined : httpUrl(webUrl);
    this.#store = store;
    this.#nowMs = nowMs ?? Date.now;
  }

  /** The account's key as far as it is known, or why there is none. Never rejects for what is not ours. */
  async keyOf(did: string): Promise<VerifyingKey | KeyLack> {
    const known = await this.#recall(did);
    return resultOf(
      known !== undefined && this.#nowMs() < known.untilMs ? known : await this.#look(did, known),
    );
  }

  /**
   * The key, or why there is none, if memory has it. One that is only old is good, and read again behind: nobody waits for that, as
   * with {@link keyOf}. Undefined: {@link keyAtHand} has it, later.
   */
  peek(did: string): VerifyingKey | KeyLack | undefined {
    const known = this.#known.get(did);
    if (known === undefined) return undefined;
    if (this.#nowMs() < known.untilMs) return resultOf(known);
    if (known.key === undefined || known.isDoubtful) return undefined;
    void this.#look(did, known);
    return known.key;
  }

  /** As {@link keyOf}, but for a key that is only old, on disk too: see {@link peek}. */
  async keyAtHand(did: string): Promise<VerifyingKey | KeyLack> {
    await this.#recall(did);
    return this.peek(did) ?? this.keyOf(did);
  }

  /** The key read again, because a signature did not fit; at most once a minute. */
  async recheck(did: string): Promise<VerifyingKey | KeyLack> {
    const known = await this.#recall(did);
    if (known !== undefined && Math.abs(this.#nowMs() - known.readMs) < recheckMs) return resultOf(known);
    await this.doubt(did);
    return this.keyOf(did);
  }

  /**
   * The account has said that something about it changed: the next who asks waits until it has been read again.
   * @param timeMs when it said so, milliseconds since 1970: what was read later stands. By default nothing does.
   */
  async doubt(did: string, timeMs = Number.POSITIVE_INFINITY): Promise<void> {
    const known = await this.#recall(did);
    if (known === undefined || known.readMs > timeMs) return;
    if (known.key === undefined) this.#known.delete(did);
    else this.#remember(did, { ...known, untilMs: 0, failures: 0, isDoubtful: true });
    await this.#store?.delete(did);
  }

  /**
   * The keys that the account may have signed with at that time, the likeliest first; only the directory knows what was.
   * @returns why they are not known, else.
   */
  async keysAt(did: string, timeMs: number): Promise<readonly VerifyingKey[] | KeyLack> {
    // Of other methods only the present is known: what does not fit an older commit need not be wrong.
    if (!plcPattern.test(did)) return timeMs > this.#nowMs() - presentMs ? [] : 'key_unknown';
    const history = this.#histories.get(did);
    if (history !== undefined && this.#nowMs() - history.readMs < recheckMs)
      return keysAt(history.changes, timeMs);
    try {
      const url = this.#plcPath(`${did}/log/audit`);
      const { status, body } = await this.#ask(this.#plcDesk, url, auditRequest);
      const changes = status === 200 ? keyChangesOf(parsed(body)) : undefined;
      if (changes === undefined) return 'lookup_failed';
      this.#histories.delete(did);
      this.#histories.set(did, { changes, readMs: this.#nowMs() });
      if (this.#histories.size > historiesMax)
        this.#histories.delete(this.#histories.keys().next().value as string);
      return keysAt(changes, timeMs);
    } catch (error) {
      return lackOf(error);
    }
  }

  /** Refuses what waits; for the end. */
  close(): void {
    this.#plcDesk.close();
    this.#webDesk.close();
  }

  async #recall(did: string): Promise<Known | undefined> {
    const known = this.#known.get(did);
    if (known !== undefined) return known;
    const stored = await this.#store?.get(did);
    if (stored === undefined) return this.#known.get(did);
    // What was read in the future was read by another clock: who knows when.
    const untilMs = stored.readMs > this.#nowMs() ? 0 : stored.readMs + keyAgeMsMax;
    const recalled = { ...stored, untilMs, lack: 'key_unknown', failures: 0, isDoubtful: false } as const;
    this.#remember(did, recalled);
    return recalled;
  }

  #remember(did: string, known: Known): void {
    this.#known.delete(did);
    this.#known.set(did, known);
    if (this.#known.size > knownMax) this.#known.delete(this.#known.keys().next().value as string);
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
    let known: Known;
    try {
      const { status, body } = await this.#askFor(did);
      const readMs = this.#nowMs();
      const found = status === 200 ? signingKeyOf(parsed(body), did) : 'wrong_did';
      if (status !== 200 && status !== 404 && status !== 410) throw new Error(`status ${status}`);
      if (typeof found === 'string') {
        const lack = found === 'no_key' ? 'no_key' : 'key_unknown';
        const untilMs = readMs + doubled(absentMs, failures);
        known = { key: undefined, lack, untilMs, readMs, failures, isDoubtful: false };
        await this.#store?.delete(did);
      } else {
        const untilMs = readMs + keyAgeMsMax;
        known = { key: found, lack: 'key_unknown', untilMs, readMs, failures: 0, isDoubtful: false };
        await this.#store?.put(did, { key: found, readMs });
      }
    } catch (error) {
      // A key that nobody has doubted stays good while nobody answers.
      const { key, readMs = 0, isDoubtful = false } = before ?? {};
      const untilMs = this.#nowMs() + doubled(failedMs, failures);
      known = { key, lack: lackOf(error), untilMs, readMs, failures, isDoubtful };
    }
    this.#remember(did, known);
    return known;
  }

  #askFor(did: string): Promise<Answer> {
    if (plcPattern.test(did)) return this.#ask(this.#plcDesk, this.#plcPath(did), plcRequest);
    const host = webPattern.exec(did)?.[1];
    if (host === undefined || host.length > webHostCharsMax)
      return Promise.resolve({ status: 404, body: Buffer.alloc(0), retryAfterMs: undefined });
    if (this.#webUrl === undefined)
      return this.#ask(this.#webDesk, new URL(`https://${host}/.well-known/did.json`), webRequest);
    const url = new URL('/.well-known/did.json', this.#webUrl);
    return this.#ask(this.#webDesk, url, { ...webRequest, isPublicOnly: false }, host);
  }

  #plcPath(path: string): URL {
    const base = this.#plcUrl.href.endsWith('/') ? this.#plcUrl.href : `${this.#plcUrl.href}/`;
    return new URL(base + path);
  }

  /** One request to the directory, unless it is down: then whoever waits does not wait for nothing. */
  async #askPlc(url: URL, limits: RequestLimits): Promise<Answer> {
    if (this.#nowMs() < this.#plcDownUntilMs)
      throw new CodedError('IDENTITY_UNREACHABLE', `${url.origin} does not answer`, { retryable: true });
    let isAnswer = false;
    try {
      const answer = await requestDocument(url, limits);
      isAnswer = answer.status < 500;
      return answer;
    } finally {
      this.#plcFailures = isAnswer ? 0 : this.#plcFailures + 1;
      if (this.#plcFailures >= plcFailuresMax) this.#plcDownUntilMs = this.#nowMs() + plcDownMs;
    }
  }

  /** Asks when it is its turn, and again when the directory has asked for a pause. */
  async #ask(desk: LookupDesk, url: URL, limits: RequestLimits, host?: string): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await desk.run(() =>
        desk === this.#plcDesk ? this.#askPlc(url, limits) : requestDocument(url, limits, host),
      );
      if (answer.status !== 429) return answer;
      if (desk === this.#plcDesk) desk.pause(Math.min(answer.retryAfterMs ?? pauseMs[0], pauseMs[1]));
      if (attempt === attemptsMax)
        throw new CodedError('IDENTITY_LIMITED', `${url.origin} has had enough of us`, { retryable: true });
    }
  }
}

function resultOf({ key, lack, isDoubtful }: Known): VerifyingKey | KeyLack {
  return key === undefined || isDoubtful ? lack : key;
}

function lackOf(error: unknown): KeyLack {
  return error instanceof CodedError && error.code === 'IDENTITY_LIMITED' ? 'limited' : 'lookup_failed';
}

/** Doubles from the first with every failure, up to the last. */
function doubled([firstMs, lastMs]: readonly [number, number], failures: number): number {
  return Math.min(lastMs, firstMs * 2 ** (failures - 1));
}

/** JSON; undefined when it is none. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') return url;
  throw new UsageError(
    'IDENTITY_BAD_URL',
    `"${text}" is no address of a directory: give https://host, or http://host:port`,
  );
}
