// `slipstream tail` once its flags are read: a subscription shown on a terminal or written to a pipe. It owns when what is
// shown; lines, counts and the bar are made beside it, and the shell says where they go and when to stop.

import type { Writable } from 'node:stream';
import { outageText } from '../../client/lib/outage.ts';
import {
  type EventStream,
  type Gap,
  type StreamEvent,
  type StreamNotice,
  subscribe,
  type Told,
} from '../../client/lib/subscribe.ts';
import { CodedError } from '../../lib/errors.ts';
import { formatMoment, formatSpan, grouped, printable } from '../../lib/text.ts';
import { LineOutput } from '../command/output.ts';
import { defaultColumns, inColour, jsonLine, type Paint, plain, prettyLine } from './event-line.ts';
import type { TailRequest } from './request.ts';
import { progressOf, type ReplaySpan, replayBar, Tally, tallyLines, waitingLine } from './tally.ts';

/** Where a tail writes, and what it is. */
export interface TailTerminal {
  readonly output: Writable;
  readonly outputIsTerminal: boolean;
  readonly hasColours: boolean;
  /** Of the output; undefined where it is none. */
  readonly columns: () => number | undefined;
  /** For the bar and messages. */
  readonly messages: Writable;
  readonly messagesAreTerminal: boolean;
  /** Ends the tail; a summary follows. */
  readonly stop: AbortSignal;
}

/** Between two drawings of the line that says how far it is, and of the counts. */
const lineIntervalMs = 200;
const statsIntervalMs = 1_000;
/** Characters of a server's words in a message. */
const wordsCharsMax = 150;
/** To the start of the line, and nothing on it. */
const clearLine = '\r\x1b[K';

interface Shown {
  readonly event: StreamEvent;
  readonly text: string;
}

/**
 * Shows what `request` asks for until it ends, `stop` is called, or nobody reads any more. @param dictionary of
 * `request.dictionaryPath`. @throws CodedError of the client, `TAIL_NOT_CONNECTED`, `TAIL_OUTPUT_FAILED`.
 */
export async function showTail(
  request: TailRequest,
  dictionary: Uint8Array | undefined,
  terminal: TailTerminal,
): Promise<void> {
  const view = new TailView(request, terminal);
  const { limit, json, stats, top, dictionaryPath, ...options } = request;
  const stream = subscribe({
    ...options,
    dictionary,
    signal: terminal.stop,
    onNotice: (notice) => view.notice(notice),
    transform: (event, text): Shown => ({ event, text }),
  });
  await view.follow(stream);
}

class TailView {
  readonly #request: TailRequest;
  readonly #terminal: TailTerminal;
  readonly #output: LineOutput;
  readonly #paint: Paint;
  readonly #startMs = performance.now();
  readonly #tally = new Tally(this.#startMs);
  #stream!: EventStream<Shown>;
  /** What came first: where a replay really starts. */
  #firstUs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Events and moment of the last drawing, for the rate. */
  #drawnEvents = 0;
  #drawnMs = this.#startMs;
  /** Lines of counts on the terminal, to draw over. */
  #drawnLines = 0;
  /** The line below the events that says how far it is, or what is waited for; empty when there is none. */
  #line = '';
  #lineIsDrawn = false;

  constructor(request: TailRequest, terminal: TailTerminal) {
    this.#request = request;
    this.#terminal = terminal;
    this.#output = new LineOutput(terminal.output, 'TAIL_OUTPUT_FAILED');
    this.#paint = terminal.hasColours ? inColour : plain;
  }

  async follow(stream: EventStream<Shown>): Promise<void> {
    const { limit, stats } = this.#request;
    this.#stream = stream;
    this.#startDrawing();
    try {
      if (limit > 0) {
        for await (const shown of stream) {
          this.#firstUs ??= shown.event.time_us;
          this.#tally.add(shown.event);
          // Nothing is waited for any more; a bar comes again with the next drawing.
          if (this.#tally.events === 1) this.#line = '';
          if (!stats) this.#output.add(this.#textOf(shown));
          // When nothing waits, a person may; and a reader that takes nothing stops the stream here.
          if (this.#output.isFull || stream.status.queuedEvents === 0) await this.#flush();
          if (this.#output.isGone) break;
          // Not left: the last event counts as finished, and a tail that goes on does not show it again.
          if (this.#tally.events >= limit) await stream.close();
        }
      }
      await this.#flush();
    } finally {
      await stream.close();
      clearInterval(this.#timer);
      this.#line = '';
      this.#clearLine();
    }
    await this.#end();
  }

  notice(notice: StreamNotice): void {
    if (notice.kind === 'gap') this.#say(gapText(notice));
    if (notice.kind === 'info') this.#say(infoText(notice));
    if (notice.kind !== 'disconnected') return;
    const what = printable(outageText(this.#request.url, notice), wordsCharsMax);
    if (this.#stream.status.connections === 0) throw new CodedError('TAIL_NOT_CONNECTED', what);
    this.#say(`${what}; again in ${formatSpan(notice.retryMs / 1000)}`);
  }

  #textOf({ event, text }: Shown): string {
    const { outputIsTerminal, columns } = this.#terminal;
    const { json, cursor } = this.#request;
    if (json) return jsonLine(text, outputIsTerminal);
    const isLive = cursor === undefined || this.#stream.status.live;
    return prettyLine(event, columns() ?? defaultColumns, this.#paint, isLive);
  }

  async #flush(): Promise<void> {
    const { outputIsTerminal } = this.#terminal;
    // Where the output is no terminal, the line is alone on its own.
    if (outputIsTerminal) this.#clearLine();
    await this.#output.flush();
    if (outputIsTerminal) this.#drawLine();
  }

  #startDrawing(): void {
    const { stats, json } = this.#request;
    const { outputIsTerminal, messagesAreTerminal } = this.#terminal;
    if (stats && outputIsTerminal && !json) {
      this.#timer = setInterval(() => this.#drawCounts(), statsIntervalMs);
    } else if (messagesAreTerminal) {
      this.#timer = setInterval(() => this.#renewLine(), lineIntervalMs);
    }
  }

  /** Events a second since the last call. */
  #rate(): number {
    const nowMs = performance.now();
    const rate = ((this.#tally.events - this.#drawnEvents) * 1000) / Math.max(1, nowMs - this.#drawnMs);
    this.#drawnEvents = this.#tally.events;
    this.#drawnMs = nowMs;
    return Math.round(rate);
  }

  #renewLine(): void {
    const { status } = this.#stream;
    const columns = this.#terminal.columns() ?? 80;
    const { url, cursor } = this.#request;
    if (cursor !== undefined && !status.live && status.connections > 0) {
      this.#line = replayBar(status, this.#span(cursor, status.newestUs), this.#rate(), columns);
    } else {
      this.#line = this.#tally.events > 0 ? '' : waitingLine(status, url, columns);
    }
    this.#clearLine();
    this.#drawLine();
  }

  /** What the replay covers. */
  #span(cursor: number, newestUs: number | undefined): ReplaySpan {
    // Servers start at their oldest event when asked for older ones.
    this.#firstUs ??= newestUs;
    const endUs = Math.min(Date.now() * 1000, this.#request.untilUs ?? Number.POSITIVE_INFINITY);
    return { startUs: Math.max(cursor, this.#firstUs ?? 0), endUs };
  }

  #drawLine(): void {
    if (this.#line === '') return;
    this.#terminal.messages.write(this.#line);
    this.#lineIsDrawn = true;
  }

  #clearLine(): void {
    if (!this.#lineIsDrawn) return;
    this.#lineIsDrawn = false;
    this.#terminal.messages.write(clearLine);
  }

  #drawCounts(): void {
    const lines = this.#countLines(this.#rate());
    // Up to where the last drawing began, and nothing from there on.
    const up = this.#drawnLines === 0 ? '' : `\x1b[${this.#drawnLines}A`;
    this.#terminal.output.write(`${up}\r\x1b[J${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  #countLines(rate: number | undefined): string[] {
    const report = this.#tally.report(this.#request.top, performance.now());
    const columns = this.#terminal.columns() ?? defaultColumns;
    return tallyLines(report, rate, progressOf(this.#stream.status)).map((line) =>
      line.slice(0, columns - 1),
    );
  }

  /** The counts, if they are what was asked for; else a summary for a person, or for who has stopped it. */
  async #end(): Promise<void> {
    const { stats, json, top } = this.#request;
    if (this.#output.isGone) return;
    if (stats && json) {
      this.#output.add(JSON.stringify(this.#tally.report(top, performance.now())));
    } else if (stats) {
      if (this.#drawnLines > 0) this.#terminal.output.write(`\x1b[${this.#drawnLines}A\r\x1b[J`);
      for (const line of this.#countLines(undefined)) this.#output.add(line);
    } else if (this.#terminal.messagesAreTerminal || this.#terminal.stop.aborted) {
      this.#say(this.#summary());
    }
    await this.#output.flush();
  }

  #summary(): string {
    const { events, seconds, eventsPerSecond } = this.#tally.report(0, performance.now());
    const { cursor } = this.#stream.status;
    const again = cursor === undefined ? '' : `; continue with --cursor ${cursor}`;
    return `${grouped(events)} events in ${formatSpan(seconds)}, ${grouped(eventsPerSecond)} a second${again}`;
  }

  #say(text: string): void {
    this.#clearLine();
    this.#terminal.messages.write(`tail: ${text}\n`);
  }
}

/** `the server says OutdatedCursor: …`. The words are the server's. */
function infoText({ name, message }: Told): string {
  return `the server says ${printable(message === '' ? name : `${name}: ${message}`, wordsCharsMax)}`;
}

/** `gap from … to …: events may be missing (relay_gap at relay.example)`. The words are the server's. */
function gapText({ fromUs, toUs, reason, relay, missing, repeated }: Gap): string {
  const from = fromUs === 0 ? 'the beginning' : formatMoment(fromUs);
  const what = [missing ? 'be missing' : '', repeated ? 'come twice' : ''].filter((text) => text !== '');
  const meaning = what.length === 0 ? 'times are off' : `events may ${what.join(', or ')}`;
  const why = printable(relay === undefined ? reason : `${reason} at ${relay}`, wordsCharsMax);
  return `gap from ${from} to ${formatMoment(toUs)}: ${meaning} (${why})`;
}
