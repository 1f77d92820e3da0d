// A log's summary as text for people: at most 100 columns, whatever is in the log. Pure; cmd/inspect.ts prints it.

import { formatBytes, formatSpan, grouped, printable } from '../../lib/text.ts';
import type { LogSummary } from './summary.ts';

/** Column where values start, and the one that no line goes beyond. */
const labelWidth = 14;
const widthMax = 100;
/** Room for a name beside its numbers. */
const nameWidth = 54;
/** Relays and dictionaries shown; a log has one or two. */
const listedMax = 20;

/** The table, without a newline at its end. */
export function summaryTable(summary: LogSummary): string {
  const { first, last, events, blocks, journal, segments } = summary;
  const lines = [
    line('log', summary.dataDir),
    line(
      'format',
      summary.format === undefined ? 'unknown: the description is damaged' : String(summary.format),
    ),
    line('first event', first === undefined ? 'none' : `${first.time}  ${first.timeUs}`),
    line('last event', last === undefined ? 'none' : `${last.time}  ${last.timeUs}`),
    line(
      'events',
      `${grouped(events)} in ${formatSpan(summary.spanSeconds)}, ${grouped(summary.eventsPerSecond)} a second`,
    ),
    '',
    ...byteLines(summary),
    '',
    line(
      'blocks',
      `${grouped(blocks.count)} of ${blocks.eventsMin} to ${blocks.eventsMax} events, median ${blocks.eventsMedian}`,
    ),
    line('segments', `${grouped(segments.count)} of ${segments.blocksEach} blocks`),
    line('journal', journalText(journal)),
    ...list('upstream', Object.entries(summary.upstreamPositions), ([relay, seq]) => `${relay} to ${seq}`),
    ...list(
      'dictionaries',
      summary.dictionaries,
      (use) =>
        `${use.id} in ${grouped(use.blocks)} blocks, ${grouped(use.events)} events, ${formatBytes(use.zstdBytes)}`,
    ),
    '',
    ...countLines(summary),
  ];
  if (summary.damagedBlocks > 0) {
    lines.push(
      '',
      line('DAMAGED', `${grouped(summary.damagedBlocks)} blocks have no readable head: see "inspect verify"`),
    );
  }
  if (summary.readError !== undefined) lines.push('', line('UNREADABLE', summary.readError));
  return lines.map((text) => printable(text, widthMax)).join('\n');
}

function byteLines({ bytes, diskBytes, journal }: LogSummary): string[] {
  const { perEvent } = bytes;
  const row = (label: string, size: number, each: number | undefined, what: string): string => {
    const perEachEvent = each === undefined ? '' : `${each.toFixed(1)} B an event`;
    return line(label, `${formatBytes(size).padStart(12)}${perEachEvent.padStart(20)}   ${what}`);
  };
  return [
    row('heads', bytes.heads, perEvent.heads, 'columns that filters work on, checksums'),
    row('JSON', bytes.json, perEvent.json, 'events as JSON, a block packed as one zstd frame'),
    row('zstd', bytes.zstd, perEvent.zstd, 'the same events, each a zstd frame as it is sent'),
    row('subjects', bytes.subjects, perEvent.subjects, 'what events point at'),
    row('segments', bytes.segments, undefined, 'indexes'),
    row('store', bytes.store, perEvent.store, 'all of the above'),
    row('journal', journal.bytes, undefined, 'the newest events, not in the store yet'),
    row('on disk', diskBytes, undefined, 'files of store and journal'),
  ];
}

function journalText({ blocks, events, alreadyStored }: LogSummary['journal']): string {
  const stored = alreadyStored === 0 ? '' : `; ${grouped(alreadyStored)} blocks that the store has too`;
  return `${grouped(blocks)} blocks, ${grouped(events)} events${stored}`;
}

function countLines({ events, kinds, operations, collections }: LogSummary): string[] {
  const row = (name: string, count: number): string => {
    const share = events === 0 ? '' : `${((count / events) * 100).toFixed(2).padStart(9)} %`;
    return `  ${printable(name, nameWidth).padEnd(nameWidth)}${grouped(count).padStart(18)}${share}`;
  };
  const rows = (counts: Readonly<Record<string, number>>): string[] =>
    Object.entries(counts).map(([name, count]) => row(name, count));
  const names = `${collections.isPartial ? 'more than ' : ''}${grouped(collections.names)}`;
  return [
    'kinds',
    ...rows(kinds),
    'operations',
    ...rows(operations),
    `collections (${names})`,
    ...collections.top.map(({ collection, events }) => row(collection, events)),
    ...(collections.other > 0 ? [row('all others', collections.other)] : []),
    ...(collections.none > 0 ? [row('without a collection', collections.none)] : []),
  ];
}

function line(label: string, text: string): string {
  return label.padEnd(labelWidth) + text;
}

/** A label with one line for each item. */
function list<T>(label: string, items: readonly T[], textOf: (item: T) => string): string[] {
  if (items.length === 0) return [line(label, 'none')];
  const texts = items.slice(0, listedMax).map(textOf);
  if (items.length > listedMax) texts.push(`and ${items.length - listedMax} more`);
  return texts.map((text, at) => line(at === 0 ? label : '', text));
}
