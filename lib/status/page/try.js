// "Try it": the form, the address and command for what is chosen, and the stream that follows it.

/** @import { StatusReport } from '../status-report.ts' */

import { byId, element, setText } from './elements.js';
import { programs, snippet } from './snippet.js';
import { EventStream } from './stream.js';
import {
  collectionsProblem,
  cursorProblem,
  dictionaryUrl,
  didsProblem,
  listOf,
  subjectsProblem,
  subscribeUrl,
} from './subscription.js';

const suggestionsMax = 7;
/** What has to be known about a command. */
const toolHints = {
  websocat: '',
  events: 'Server-sent events, which browsers read with EventSource.',
  'events.ndjson': 'Ends at the newest event, or after 10,000. From “now”, it begins at the oldest.',
  tail: 'In a clone of Slipstream. If it is installed, write slipstream tail and the same flags.',
  javascript: 'A new connection continues where the last one broke.',
  typescript: 'With our client: reconnects without a gap, and reads zstd. In Node.js, a browser or a worker.',
  python: 'With websockets, version 13 or later. A new connection continues where the last one broke.',
};
const uncompressedHint = ' Plain JSON: it does not read zstd.';
/** From the last of several changes to the stream that follows them. */
const restartMs = 300;

const form = byId('form');
const collections = /** @type {HTMLTextAreaElement} */ (byId('wanted-collections'));
const dids = /** @type {HTMLTextAreaElement} */ (byId('wanted-dids'));
const subjects = /** @type {HTMLTextAreaElement} */ (byId('wanted-subjects'));
const wire = /** @type {HTMLSelectElement} */ (byId('wire'));
const start = /** @type {HTMLSelectElement} */ (byId('cursor'));
const custom = /** @type {HTMLInputElement} */ (byId('custom'));
const compress = /** @type {HTMLInputElement} */ (byId('compress'));
const address = /** @type {HTMLInputElement} */ (byId('server-url'));
const url = /** @type {HTMLTextAreaElement} */ (byId('url'));
const tool = /** @type {HTMLSelectElement} */ (byId('tool'));
const commandLine = /** @type {HTMLTextAreaElement} */ (byId('command'));
const suggestions = byId('suggestions');
const stream = new EventStream();
/** Dictionaries by wire. @type {Partial<Record<import('./subscription.js').Wire, number>>} */
let dictionaryIds = {};
let restartTimer = 0;
/** The last choice that was right. @type {import('./subscription.js').Choice | undefined} */
let lastRight;

/** Makes the panel work. */
export function startTry() {
  form.addEventListener('input', showChoice);
  form.addEventListener('change', () => {
    showChoice();
    clearTimeout(restartTimer);
    restartTimer = setTimeout(() => {
      if (stream.isOpen && showChoice()) stream.open(url.value);
    }, restartMs);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(restartTimer);
    if (stream.isOpen) stream.close();
    else if (showChoice()) stream.open(url.value);
    else form.querySelector('[aria-invalid="true"]')?.dispatchEvent(new CustomEvent('wanted'));
  });
  tool.addEventListener('change', showChoice);
  for (const field of [collections, dids, subjects, custom])
    field.addEventListener('wanted', () => {
      field.closest('details')?.setAttribute('open', '');
      field.focus();
    });
  // On a phone the rarer conditions are folded away.
  if (!matchMedia('(min-width: 52rem)').matches) byId('more').removeAttribute('open');
  address.value = subscribeUrl(location.href);
  stream.onOpenChange = () => setText(byId('start'), stream.isOpen ? 'Stop' : 'Start');
  for (const button of document.querySelectorAll('[data-copies]')) {
    button.addEventListener('click', () => {
      showChoice();
      void copy(/** @type {HTMLElement} */ (button));
    });
  }
  showChoice();
}

/**
 * Takes what the panel needs of a report.
 * @param {StatusReport} report
 */
export function offer({ events, compression, timeUs }) {
  stream.clockOffsetMs = timeUs / 1000 - Date.now();
  const { dictionaryId: v1, v2DictionaryId: v2 } = compression;
  if (dictionaryIds.v1 !== v1 || dictionaryIds.v2 !== v2) {
    dictionaryIds = { v1, v2 };
    showChoice();
  }
  suggest(events.collections.map(({ name }) => name));
}

/** @returns {import('./subscription.js').Choice} */
function choice() {
  const isV2 = wire.value === 'v2';
  return {
    wire: isV2 ? 'v2' : 'v1',
    collections: listOf(collections.value),
    dids: listOf(dids.value),
    subjects: listOf(subjects.value),
    kinds: checked('kind').filter((kind) => isV2 || kind !== 'sync'),
    operations: checked('operation'),
    cursor: cursor(),
    compress: compress.checked,
    nowMs: Date.now() + stream.clockOffsetMs,
  };
}

/** @param {string} name */
function checked(name) {
  const boxes = form.querySelectorAll(`input[name=${name}]:checked`);
  return [...boxes].map((box) => /** @type {HTMLInputElement} */ (box).value);
}

function cursor() {
  if (start.value === 'now') return '';
  return start.value === 'custom' ? custom.value.trim() : start.value;
}

/** Shows address and command, or what is wrong; says whether all is right. */
function showChoice() {
  const chosen = choice();
  const dictionaryId = dictionaryIds[chosen.wire];
  byId('kind-sync').hidden = chosen.wire === 'v1';
  byId('dictionary').setAttribute('href', dictionaryUrl(location.href, chosen.wire, dictionaryId));
  byId('custom-field').hidden = start.value !== 'custom';
  byId('compress-hint').hidden = !chosen.compress;
  const toolName = /** @type {import('./snippet.js').Tool} */ (tool.value);
  setText(byId('tool-hint'), hintOf(toolName, chosen.compress));
  const isRight = [
    judge(collections, 'collections-problem', collectionsProblem(chosen.collections, chosen.wire)),
    judge(dids, 'dids-problem', didsProblem(chosen.dids)),
    judge(subjects, 'subjects-problem', subjectsProblem(chosen.subjects)),
    judge(custom, 'cursor-problem', start.value === 'custom' ? cursorProblem(chosen.cursor) : ''),
  ].every(Boolean);
  for (const button of suggestions.children) {
    button.setAttribute('aria-pressed', String(chosen.collections.includes(button.textContent ?? '')));
  }
  if (isRight) lastRight = chosen;
  if (lastRight !== undefined) {
    url.value = subscribeUrl(location.href, lastRight, dictionaryId);
    commandLine.value = snippet(location.href, lastRight, toolName, dictionaryId);
    const isProgram = programs.has(toolName);
    commandLine.wrap = isProgram ? 'off' : 'soft';
    commandLine.rows = isProgram ? commandLine.value.split('\n').length : 2;
  }
  return isRight;
}

/**
 * @param {import('./snippet.js').Tool} name
 * @param {boolean} compress
 */
function hintOf(name, compress) {
  const isPlain = compress && !['websocat', 'tail', 'typescript'].includes(name);
  return toolHints[name] + (isPlain ? uncompressedHint : '');
}

/**
 * @param {HTMLElement} field
 * @param {string} id of the element that says what is wrong
 * @param {string} problem
 */
function judge(field, id, problem) {
  setText(byId(id), problem);
  field.setAttribute('aria-invalid', String(problem !== ''));
  return problem === '';
}

/**
 * Offers the busiest collections. A button stays where it is while its collection is busy: it may be under a finger.
 * @param {readonly string[]} busiest
 */
function suggest(busiest) {
  const shown = [...suggestions.children].filter((button) => {
    const stays = busiest.includes(button.textContent ?? '') || button === document.activeElement;
    if (!stays) button.remove();
    return stays;
  });
  const names = new Set(shown.map((button) => button.textContent));
  for (const name of busiest) {
    if (names.size >= suggestionsMax) break;
    if (names.has(name)) continue;
    names.add(name);
    const button = element('button', name);
    button.setAttribute('type', 'button');
    button.setAttribute('aria-pressed', String(listOf(collections.value).includes(name)));
    button.addEventListener('click', () => toggle(name));
    suggestions.append(button);
  }
}

/** @param {string} name */
function toggle(name) {
  const names = listOf(collections.value);
  const left = names.filter((other) => other !== name);
  collections.value = (left.length < names.length ? left : [...names, name]).join('\n');
  form.dispatchEvent(new Event('change'));
}

/** @param {HTMLElement} button */
async function copy(button) {
  const source = /** @type {HTMLTextAreaElement} */ (byId(button.dataset.copies ?? ''));
  const said = byId('said');
  try {
    await navigator.clipboard.writeText(source.value);
    setText(said, 'Copied');
    setText(button, 'Copied');
  } catch {
    // Only secure pages have a clipboard: what is selected can be copied by hand.
    source.select();
    setText(said, 'Selected: copy it with the keyboard');
    setText(button, 'Selected');
  }
  setTimeout(() => {
    setText(button, 'Copy');
    setText(said, '');
  }, 2000);
}
