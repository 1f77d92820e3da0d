// A message as a row of the list: what it is in a line, and all of it once the row is opened. Records have any shape.

import { element } from './elements.js';
import { bytes, clock } from './format.js';

/** Characters of an event's text in its row. */
const summaryMax = 240;

const actions = new Set(['create', 'update', 'delete', 'identity', 'account', 'sync', 'info', 'error']);

/** What is under a row that was not opened yet. @type {WeakMap<HTMLElement, string>} */
const texts = new WeakMap();

/**
 * @param {string} text
 * @returns {{ row: HTMLElement, timeUs: number | undefined }} `timeUs` of the event, if it is one
 */
export function eventRow(text) {
  const { row, details, summary } = emptyRow();
  const event = parse(text);
  if (event === undefined) {
    summary.append(element('bdi', text.slice(0, summaryMax), 'what'));
  } else {
    summary.append(
      element('time', event.timeUs === undefined ? '' : clock(event.timeUs)),
      element('span', event.action, `action ${actions.has(event.action) ? event.action : ''}`),
      element('bdi', event.collection, 'collection'),
      element('bdi', event.what, 'what'),
    );
  }
  texts.set(details, event?.whole ?? text);
  return { row, timeUs: event?.timeUs };
}

/** The row of a compressed message that could not be read. @param {number} length */
export function compressedRow(length) {
  const { row, details, summary } = emptyRow();
  summary.append(element('span', `zstd · ${bytes(length)}`, 'what'));
  texts.set(details, 'This page could not read it: the zstd decoder or the dictionary did not load.');
  return row;
}

/** Writes the whole event under a row when it is opened for the first time. @param {HTMLDetailsElement} details */
export function fillRow(details) {
  const text = texts.get(details);
  if (text === undefined) return;
  const whole = element('pre', text);
  whole.tabIndex = 0;
  details.append(whole);
  texts.delete(details);
}

function emptyRow() {
  const row = element('li');
  const details = element('details');
  const summary = element('summary');
  details.append(summary);
  row.append(details);
  return { row, details, summary };
}

/**
 * What a row shows of a message; undefined when it is no event, and nothing that a server says of its own accord.
 * @param {string} text
 */
function parse(text) {
  try {
    const message = JSON.parse(text);
    const whole = JSON.stringify(message, null, 2);
    const said = saidOf(message);
    if (said !== undefined) return { timeUs: undefined, ...said, whole };
    const event = message.$type === undefined ? message : ofSecondWire(message.payload);
    const { time_us: timeUs, kind, commit, did } = event;
    if (!Number.isSafeInteger(timeUs)) return undefined;
    const { operation, collection, rkey } = commit ?? {};
    const about = commit === undefined ? accountText(event) : (recordText(commit.record) ?? rkey);
    return {
      timeUs,
      action: String(operation ?? kind),
      collection: String(collection ?? did),
      what: String(about ?? '').slice(0, summaryMax),
      whole,
    };
  } catch {
    return undefined;
  }
}

/**
 * A payload of the second wire by the names of the first.
 * @param {any} payload
 */
function ofSecondWire(payload) {
  const kind = String(payload.$type).split('#')[1] ?? '';
  const body = kind === 'commit' ? payload : payload[kind];
  return { time_us: payload.seq, did: payload.did, kind, [kind]: body };
}

/**
 * A notice or an error of the second wire, which has no time.
 * @param {any} message
 */
function saidOf({ $type, payload, error, message: words }) {
  const isError = $type === 'error';
  if (!isError && !(typeof payload?.$type === 'string' && payload.$type.endsWith('#info'))) return undefined;
  const [name, text] = isError ? [error, words] : [payload.name, payload.message];
  return {
    action: isError ? 'error' : 'info',
    collection: String(name ?? ''),
    what: String(text ?? '').slice(0, summaryMax),
  };
}

/** @param {any} event */
function accountText({ identity, account, sync }) {
  if (account !== undefined) return account.active ? 'active' : (account.status ?? 'not active');
  return identity === undefined ? sync?.rev : identity.handle;
}

/**
 * The part of a record that says most.
 * @param {any} record
 */
function recordText(record) {
  const { text, subject, displayName, name, title, description } = record ?? {};
  const found = [text, displayName, name, title, subject?.uri, subject, description];
  return found.find((value) => typeof value === 'string' && value !== '');
}
