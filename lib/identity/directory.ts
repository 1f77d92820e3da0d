// Where documents and operations are asked for: the PLC directory, and the hosts of did:web accounts. It owns the manners of a guest,
// which hosts are asked at all, and that a directory that is down is left alone. What answers mean is key-resolver.ts.

import { CodedError, UsageError } from '../errors.ts';
import { addressIn, isPublicAddress } from '../ip-address.ts';
import { type Answer, type RequestLimits, requestDocument } from './document-request.ts';
import { LookupDesk } from './lookup-desk.ts';

/** The directory says no numbers; these are few beside what its own tools ask. */
const plcLimits = { concurrentMax: 4, perSecondMax: 25, waitingMax: 10_000 };
const ownLimits = { ...plcLimits, concurrentMax: 64, perSecondMax: 10_000 };
const webLimits = { concurrentMax: 16, perSecondMax: 16, waitingMax: 1_000 };
const plcRequest: RequestLimits = { timeoutMs: 10_000, bytesMax: 64 * 1024, isPublicOnly: false };
const auditRequest: RequestLimits = { ...plcRequest, bytesMax: 1024 * 1024 };
/** A thousand operations. */
const exportRequest: RequestLimits = { timeoutMs: 30_000, bytesMax: 8 * 1024 * 1024, isPublicOnly: false };
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

/** Whether an account's document is the directory's. */
export function isPlc(did: string): boolean {
  return plcPattern.test(did);
}

export interface DirectoryOptions {
  /** Of the PLC directory: `https://plc.directory`, or a replica. One in a network of our own is asked as fast as it answers. */
  readonly plcUrl: string;
  /** Asked for did:web accounts in place of their own hosts, which it is told by `Host`: for tests. Not limited to public addresses. */
  readonly webUrl?: string | undefined;
  /** Hosts of did:web accounts that may be asked, by name, or by `*.` and the end of names; none: nobody. Without: all at public addresses. */
  readonly webHosts?: readonly string[] | undefined;
  readonly nowMs: () => number;
}

/** See the file comment. */
export class Directory {
  readonly #plcUrl: URL;
  readonly #webUrl: URL | undefined;
  readonly #webHosts: readonly string[] | undefined;
  readonly #nowMs: () => number;
  readonly #plcDesk: LookupDesk;
  readonly #webDesk = new LookupDesk(webLimits);
  #plcFailures = 0;
  #plcDownUntilMs = 0;

  /** @throws UsageError `IDENTITY_BAD_URL` */
  constructor({ plcUrl, webUrl, webHosts, nowMs }: DirectoryOptions) {
    this.#plcUrl = httpUrl(plcUrl);
    const { hostname } = this.#plcUrl;
    const isOwn =
      hostname === 'localhost' || (addressIn(hostname) !== undefined && !isPublicAddress(hostname));
    this.#plcDesk = new LookupDesk(isOwn ? ownLimits : plcLimits);
    this.#webUrl = webUrl === undefined ? undefined : httpUrl(webUrl);
    this.#webHosts = webHosts;
    this.#nowMs = nowMs;
  }

  /** The account's document; 404 for one that nobody is asked for. @throws CodedError `IDENTITY_` codes. */
  askFor(did: string): Promise<Answer> {
    if (plcPattern.test(did)) return this.#ask(this.#plcDesk, this.#plcPath(did), plcRequest);
    const host = webPattern.exec(did)?.[1];
    if (host === undefined || host.length > webHostCharsMax || !this.#mayAsk(host))
      return Promise.resolve({ status: 404, body: Buffer.alloc(0), retryAfterMs: undefined, ageMs: 0 });
    if (this.#webUrl === undefined)
      return this.#ask(this.#webDesk, new URL(`https://${host}/.well-known/did.json`), webRequest);
    const url = new URL('/.well-known/did.json', this.#webUrl);
    return this.#ask(this.#webDesk, url, { ...webRequest, isPublicOnly: false }, host);
  }

  /** The account's operations. @throws CodedError as {@link askFor}. */
  askForLog(did: string): Promise<Answer> {
    return this.#ask(this.#plcDesk, this.#plcPath(`${did}/log/audit`), auditRequest);
  }

  /** Operations of all accounts, a page. @throws CodedError as {@link askFor}. */
  askForExport(query: string): Promise<Answer> {
    return this.#ask(this.#plcDesk, this.#plcPath(`export?${query}`), exportRequest);
  }

  /** Refuses what waits; for the end. */
  close(): void {
    this.#plcDesk.close();
    this.#webDesk.close();
  }

  #mayAsk(host: string): boolean {
    return (
      this.#webHosts?.some((name) =>
        name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name,
      ) ?? true
    );
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
        throw new CodedError('IDENTITY_LIMITED', `${url.origin} asks for fewer requests`, {
          retryable: true,
        });
    }
  }
}

function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '') return url;
  throw new UsageError(
    'IDENTITY_BAD_URL',
    `"${text}" is not the address of a directory: give https://host, or http://host:port`,
  );
}
