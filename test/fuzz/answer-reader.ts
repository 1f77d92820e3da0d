// Reads what the daemon answers on one connection, strictly: HTTP answers one after the other, then server frames behind a
// 101. Whatever is not as HTTP, RFC 6455 and the documents have it is a problem.

import { isText } from './frame-model.ts';

/** Of docs/http.md, docs/wire.md and docs/security.md; 304 and 417 are HTTP's own. */
const documentedStatuses = [101, 200, 204, 304, 400, 404, 405, 408, 413, 417, 429, 431, 503];
/** Closes of this side that are documented. Others are echoes. */
const documentedCloses = [1000, 1001, 1002, 1007, 1008, 1009, 1013];
const withoutBody = [101, 204, 304];
/** Largest frame that is sent: a batch is many frames, and a record has two megabytes at most. */
const frameBytesMax = 16 * 2 ** 20;

type Part = 'head' | 'length' | 'chunk' | 'rest' | 'frames';

/** See the file comment. */
export class AnswerReader {
  /** Of final answers whose head is here. */
  readonly statuses: number[] = [];
  /** Answers that are here to their end. */
  finished = 0;
  /** Payloads of pongs, as text. */
  readonly pongs: string[] = [];
  /** The code of the close frame; 1005 for none. */
  closeCode: number | undefined;
  closeReason = '';
  /** The first thing that is wrong. */
  problem: string | undefined;
  /** Whether the answer that comes has no end of its own. */
  isStream = false;
  readonly #methods: readonly string[] | undefined;
  readonly #echoes: ReadonlySet<number>;
  #part: Part = 'head';
  #left = 0;
  #isUntouched = false;
  #bytes: Buffer = Buffer.alloc(0);

  /**
   * @param methods of the requests, in order, where they are known: HEAD has no body.
   * @param echoes codes of closes that are the client's own.
   */
  constructor(methods: readonly string[] | undefined, echoes: ReadonlySet<number> = new Set()) {
    this.#methods = methods;
    this.#echoes = echoes;
  }

  take(chunk: Buffer): void {
    if (this.problem !== undefined) return;
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.problem === undefined && this.#step());
  }

  /** Reads a part, or what there is of it; false when more has to come. */
  #step(): boolean {
    switch (this.#part) {
      case 'head':
        return this.#head();
      case 'length':
        return this.#body();
      case 'chunk':
        return this.#chunk();
      case 'rest':
        this.#bytes = Buffer.alloc(0);
        return false;
      case 'frames':
        return this.#frame();
    }
  }

  #head(): boolean {
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.#bytes.length > 65_536) this.#wrong('a head without an end');
      else if (this.#bytes.length > 0 && !'HTTP/1.1 '.startsWith(this.#bytes.toString('latin1', 0, 9)))
        this.#wrong('no HTTP');
      return false;
    }
    const head = this.#bytes.toString('latin1', 0, end);
    this.#bytes = this.#bytes.subarray(end + 4);
    const status = Number(
      /^HTTP\/1\.1 (\d{3}) [ -~]*(?:\r\n[!-9;-~]+:[\t -~\x80-\xff]*)*$/.exec(head)?.[1] ?? 0,
    );
    if (status === 100) return true;
    if (!documentedStatuses.includes(status)) this.#wrong(`status ${status}: ${head.slice(0, 300)}`);
    // Every one of ours says when to come back; node:http's own, behind a thousand requests, is not met here.
    if (status === 503 && !/\r\nretry-after: \d+/i.test(head))
      this.#wrong('a 503 that does not say when to come back');
    const isHead = this.#methods?.[this.statuses.length] === 'HEAD';
    this.statuses.push(status);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (status === 101) this.#part = 'frames';
    else if (isHead || withoutBody.includes(status)) this.#finish();
    else if (length !== undefined) this.#await('length', Number(length));
    else if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.#part = 'chunk';
    else this.#part = 'rest';
    if (this.#part === 'length' && this.#left === 0) this.#finish();
    this.isStream = /\r\ncontent-type: text\/event-stream/i.test(head) && !isHead;
    return true;
  }

  #await(part: Part, bytes: number): void {
    this.#part = part;
    this.#left = bytes;
    this.#isUntouched = true;
  }

  #finish(): void {
    this.finished++;
    this.#part = 'head';
  }

  #body(): boolean {
    // Who does not know the methods does not know of HEAD; no body of ours begins so.
    if (this.#methods === undefined && this.#isUntouched && this.#bytes.indexOf('HTTP/1.1 ') === 0) {
      this.#finish();
      return true;
    }
    this.#isUntouched = false;
    const taken = Math.min(this.#left, this.#bytes.length);
    this.#left -= taken;
    this.#bytes = this.#bytes.subarray(taken);
    if (this.#left > 0) {
      // It may be that nothing of it has come.
      if (taken === 0) this.#isUntouched = true;
      return false;
    }
    this.#finish();
    return true;
  }

  #chunk(): boolean {
    const end = this.#bytes.indexOf('\r\n');
    if (end < 0) return false;
    const size = this.#bytes.toString('latin1', 0, end);
    if (!/^[0-9a-f]{1,8}$/i.test(size)) {
      this.#wrong(`a chunk of size ${JSON.stringify(size.slice(0, 40))}`);
      return false;
    }
    const length = Number.parseInt(size, 16);
    if (this.#bytes.length < end + 2 + length + 2) return false;
    if (this.#bytes.toString('latin1', end + 2 + length, end + 4 + length) !== '\r\n')
      this.#wrong('a chunk without its end');
    this.#bytes = this.#bytes.subarray(end + 2 + length + 2);
    if (length === 0) this.#finish();
    return true;
  }

  #frame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const form = bytes[1];
    const start = form < 126 ? 2 : form === 126 ? 4 : 10;
    if (bytes.length < start) return false;
    const length =
      form < 126 ? form : form === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    const first = bytes[0];
    if (![0x81, 0x82, 0x88, 0x89, 0x8a].includes(first) || form > 127 || length > frameBytesMax) {
      this.#wrong(`a frame that begins ${bytes.toString('hex', 0, 12)}`);
      return false;
    }
    if (this.closeCode !== undefined) this.#wrong('a frame behind the close');
    if (bytes.length < start + length) return false;
    this.#payload(first, bytes.subarray(start, start + length));
    this.#bytes = bytes.subarray(start + length);
    return true;
  }

  #payload(first: number, payload: Buffer): void {
    if (first === 0x8a) this.pongs.push(payload.toString('latin1'));
    else if (first === 0x81 && (payload[0] !== 0x7b || !isText(payload)))
      this.#wrong(`a text that is no event: ${payload.toString('hex', 0, 40)}`);
    else if (first === 0x88) {
      this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
      this.closeReason = payload.toString('utf8', 2);
      const isKnown =
        documentedCloses.includes(this.closeCode) ||
        this.closeCode === 1005 ||
        this.#echoes.has(this.closeCode);
      if (!isKnown || payload.length > 125 || !isText(payload.subarray(2)))
        this.#wrong(`a close with ${this.closeCode} ${this.closeReason}`);
    }
  }

  #wrong(what: string): void {
    this.problem ??= what;
  }
}
