// What a directory without a stream has in its export since the last look: page by page, in the older form, which goes by time and is
// known to all. What comes twice does no harm, so each look begins a little before the end of the last.

import type { Answer } from './document-request.ts';

const pageLines = 1000;
/** Operations of one moment may be told in any order, and servers are not of one time. */
const overlapMs = 60_000;
/** Pages of a look; the rest has its turn at the next. */
const pagesMax = 20;

/** See the file comment. */
export class ExportPoll {
  /** What happened from then on is told. */
  readonly fromMs: number;
  readonly #ask: (query: string) => Promise<Answer>;
  readonly #take: (text: string) => void;
  #afterMs: number;

  /** @param take told of each line. */
  constructor(ask: (query: string) => Promise<Answer>, nowMs: () => number, take: (text: string) => void) {
    this.#ask = ask;
    this.#take = take;
    this.fromMs = nowMs();
    this.#afterMs = this.fromMs;
  }

  /** A look. @param seq a number to go on from, if there is one: then by numbers. @returns whether all that there is was told. */
  async run(seq: number | undefined): Promise<boolean> {
    let after = seq === undefined ? new Date(this.#afterMs - overlapMs).toISOString() : String(seq);
    for (let pages = 0; pages < pagesMax; pages++) {
      const lines = await this.#page(after);
      if (lines === undefined) return false;
      for (const line of lines) this.#take(line);
      const last = placeOf(lines.at(-1));
      if (last !== undefined) this.#afterMs = Math.max(this.#afterMs, Date.parse(last.createdAt) || 0);
      const next = seq === undefined ? last?.createdAt : String(last?.seq);
      if (lines.length < pageLines || next === undefined || next === after) return true;
      after = next;
    }
    return false;
  }

  async #page(after: string): Promise<string[] | undefined> {
    try {
      const { status, body } = await this.#ask(`count=${pageLines}&after=${encodeURIComponent(after)}`);
      return status === 200
        ? body
            .toString()
            .split('\n')
            .filter((line) => line !== '')
        : undefined;
    } catch {
      // The directory does not answer, or has had enough: later.
      return undefined;
    }
  }
}

function placeOf(
  line: string | undefined,
): { readonly createdAt: string; readonly seq?: number } | undefined {
  try {
    const { createdAt, seq } = JSON.parse(line ?? '');
    return typeof createdAt === 'string' ? { createdAt, seq } : undefined;
  } catch {
    return undefined;
  }
}
