// What a demo shows of its daemon's events: to a program all of them as JSON, to a person a few a second, in lines that are drawn over
// each other so that the banner above them stays.

import { type StreamEvent, subscribe } from '../../client/lib/subscribe.ts';
import { packageName, packageVersion } from '../../lib/package.ts';
import { formatSpan, grouped } from '../../lib/text.ts';
import { bannerText, localUrl, tailCommandFor } from '../command/banner.ts';
import { LineOutput } from '../command/output.ts';
import { inColour, plain, prettyLine } from '../tail/event-line.ts';
import type { DemoAddresses } from './processes.ts';

/** What is shown. */
export interface DemoView extends DemoAddresses {
  readonly rate: string;
  readonly eventsMax: number;
}

/** Between two drawings, each with one new line: as fast as a person reads. */
const drawMs = 400;
/** Lines of events at a time, and rows of a small terminal that are left for them. */
const linesMax = 12;
const bannerRows = 12;

/** Writes every event from the first on as JSON, a line each, until there are `eventsMax` or it is stopped. */
export async function writeJson({ listen, eventsMax }: DemoView, stop: AbortSignal): Promise<void> {
  process.stderr.write(`demo: the daemon is at ${localUrl('http', listen, '/')}\n`);
  const output = new LineOutput(process.stdout, 'DEMO_OUTPUT_FAILED');
  const stream = subscribe({
    url: localUrl('ws', listen, ''),
    cursor: 0,
    signal: stop,
    transform: (_, text) => text,
  });
  let events = 0;
  for await (const text of stream) {
    output.add(text);
    events++;
    if (output.isFull || stream.status.queuedEvents === 0 || events === eventsMax) await output.flush();
    if (events === eventsMax || output.isGone) break;
  }
}

/** Shows some of the events, as above. */
export async function showOnTerminal(view: DemoView, stop: AbortSignal): Promise<void> {
  const { stdout } = process;
  stdout.write(`${banner(view)}\n\n`);
  const paint = stdout.hasColors() ? inColour : plain;
  const lines: string[] = [];
  const startMs = performance.now();
  let events = 0;
  let newest: StreamEvent | undefined;
  let drawn = 0;
  const draw = (): void => {
    const columns = stdout.columns || 80;
    if (newest !== undefined) lines.push(prettyLine(newest, columns - 1, paint, true));
    newest = undefined;
    const room = Math.max(1, Math.min(linesMax, (stdout.rows || 24) - bannerRows));
    lines.splice(0, lines.length - room);
    const seconds = (performance.now() - startMs) / 1000;
    const status = `${grouped(events)} events in ${formatSpan(Math.floor(seconds))}; some of them are above. Ctrl-C ends it.`;
    stdout.write(
      `${drawn === 0 ? '' : `\x1b[${drawn}A`}\r\x1b[J${[...lines, '', status.slice(0, columns - 1)].join('\n')}\n`,
    );
    drawn = lines.length + 2;
  };
  const timer = setInterval(draw, drawMs);
  try {
    for await (const event of subscribe({ url: localUrl('ws', view.listen, ''), signal: stop })) {
      if (newest === undefined || worth(event) >= worth(newest)) newest = event;
      if (++events >= view.eventsMax) break;
    }
  } finally {
    clearInterval(timer);
  }
}

/** How much there is to read in an event. */
function worth(event: StreamEvent): number {
  if (event.kind !== 'commit' || event.commit.operation === 'delete') return 0;
  return typeof (event.commit.record as { text?: unknown }).text === 'string' ? 2 : 1;
}

function banner({ rate, listen, metrics }: DemoView): string {
  return bannerText(`Slipstream ${packageVersion()}, on a synthetic network of ${rate} frames a second`, [
    ['page', `${localUrl('http', listen, '/')}   try subscriptions in a browser`],
    ['subscribe', localUrl('ws', listen, '/subscribe')],
    ['metrics', localUrl('http', metrics, '/metrics')],
    ['try', tailCommandFor(listen, process.env, packageName)],
    ['', `curl -N '${localUrl('http', listen, '/events')}?wantedCollections=app.bsky.feed.post'`],
  ]);
}
