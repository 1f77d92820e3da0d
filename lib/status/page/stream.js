// The live list: one WebSocket, counts of all that it brings, and a few rows of it. Counting costs a microsecond an
// event; drawing happens four times a second, takes only the newest and forgets the rest, so that no rate freezes it.

import { byId, element, setText } from './elements.js';
import { bytes, clock, count, duration, rate } from './format.js';

const drawMs = 250;
/** Rows added at a time, and rows there are. */
const rowsPerDraw = 5;
const rowsMax = 60;
/** Characters of an event's text in its row. */
const summaryMax = 240;
/** Draws that the rate is the mean of. */
const rateDraws = 8;

const encoder = new TextEncoder();

/** A subscription and what is shown of it. There is one. */
export class EventStream {
  /** Server's clock minus this one. */
  clockOffsetMs = 0;
  /** Told whether it is open, or about to be. */
  onOpenChange = () => {};
  /** @type {WebSocket | undefined} */
  #socket;
  #isPaused = false;
  /** Newest texts that were not drawn, oldest first. @type {string[]} */
  #waiting = [];
  #events = 0;
  #bytes = 0;
  #hidden = 0;
  /** @type {number[]} */
  #eventsAtDraws = [];
  #drawTimer = 0;
  #list = byId('stream');
  #pause = byId('pause');

  constructor() {
    this.#pause.addEventListener('click', () => this.#setPaused(!this.#isPaused));
    // A row that is read, or moved to by keyboard, stays where it is.
    this.#list.addEventListener('focusin', () => this.#setPaused(true));
    this.#list.addEventListener('toggle', (event) => this.#opened(event), true);
  }

  get isOpen() {
    return this.#socket !== undefined;
  }

  /**
   * Ends what there is and starts again.
   * @param {string} url
   */
  open(url) {
    this.close();
    this.#waiting = [];
    this.#events = this.#bytes = this.#hidden = 0;
    this.#eventsAtDraws = [];
    this.#list.replaceChildren();
    this.#setPaused(false);
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      this.#say('Connected');
    };
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = (event) => {
      this.#ended(closeText(event));
      if (!wasOpen) void this.#explain(url);
    };
    this.#say('Connecting…');
    this.#drawTimer = setInterval(() => this.#draw(), drawMs);
    this.#pause.removeAttribute('disabled');
    this.onOpenChange();
  }

  close() {
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
    this.#ended('Stopped');
  }

  /** @param {string} why */
  #ended(why) {
    clearInterval(this.#drawTimer);
    this.#draw();
    this.#socket = undefined;
    this.#pause.setAttribute('disabled', '');
    this.#say(why);
    this.onOpenChange();
  }

  /** @param {string | ArrayBuffer} data */
  #take(data) {
    this.#events++;
    if (typeof data !== 'string') {
      this.#bytes += data.byteLength;
      this.#hidden++;
      return;
    }
    this.#bytes += encoder.encode(data).length;
    this.#waiting.push(data);
    // Cut rarely: each cut copies.
    if (this.#waiting.length > 64 * rowsPerDraw) this.#skip();
  }

  /** Leaves as many texts as one draw shows. */
  #skip() {
    const skipped = Math.max(0, this.#waiting.length - rowsPerDraw);
    this.#hidden += skipped;
    this.#waiting.splice(0, skipped);
  }

  #draw() {
    if (this.#isPaused) {
      this.#hidden += this.#waiting.length;
      this.#waiting = [];
    } else {
      this.#skip();
      const rows = this.#waiting.map((text) => this.#row(text)).reverse();
      this.#list.prepend(...rows);
      while (this.#list.children.length > rowsMax) this.#list.lastElementChild?.remove();
      this.#waiting = [];
    }
    this.#drawCounts();
  }

  #drawCounts() {
    const draws = this.#eventsAtDraws;
    draws.push(this.#events);
    if (draws.length > rateDraws + 1) draws.shift();
    const perSecond = ((this.#events - draws[0]) / Math.max(1, draws.length - 1)) * (1000 / drawMs);
    setText(byId('count-events'), count(this.#events));
    setText(byId('count-rate'), rate(Math.round(perSecond)));
    setText(byId('count-bytes'), bytes(this.#bytes));
    setText(byId('count-hidden'), count(this.#hidden));
  }

  /** @param {string} text */
  #row(text) {
    const row = element('li');
    const details = element('details');
    const summary = element('summary');
    details.append(summary);
    row.append(details);
    const event = parse(text);
    if (event === undefined) {
      summary.append(element('bdi', text.slice(0, summaryMax), 'what'));
    } else {
      const behindMs = Date.now() + this.clockOffsetMs - event.timeUs / 1000;
      setText(byId('count-behind'), duration(Math.max(0, behindMs)));
      summary.append(
        element('time', clock(event.timeUs)),
        element('span', event.action, `action ${actions.has(event.action) ? event.action : ''}`),
        element('bdi', event.collection, 'collection'),
        element('bdi', event.what, 'what'),
      );
    }
    texts.set(details, event?.whole ?? text);
    return row;
  }

  /** Writes the whole event under a row when it is opened for the first time. @param {Event} event */
  #opened(event) {
    const details = /** @type {HTMLDetailsElement} */ (event.target);
    if (!details.open) return;
    this.#setPaused(true);
    const text = texts.get(details);
    if (text === undefined) return;
    const whole = element('pre', text);
    whole.tabIndex = 0;
    details.append(whole);
    texts.delete(details);
  }

  /** @param {boolean} isPaused */
  #setPaused(isPaused) {
    this.#isPaused = isPaused;
    setText(this.#pause, isPaused ? 'Resume' : 'Pause');
    this.#list.classList.toggle('paused', isPaused);
  }

  /** @param {string} text */
  #say(text) {
    setText(byId('stream-state'), text);
  }

  /** A browser does not tell why a WebSocket was refused; the same request without one does. @param {string} url */
  async #explain(url) {
    try {
      const response = await fetch(url.replace(/^ws/, 'http'));
      const text = await response.text();
      if (!this.isOpen && text !== 'Bad Request\n') this.#say(`Refused: ${text.slice(0, summaryMax)}`);
    } catch {
      // It says already that there is no connection.
    }
  }
}

/** What is under a row that was not opened yet. @type {WeakMap<HTMLElement, string>} */
const texts = new WeakMap();

const actions = new Set(['create', 'update', 'delete', 'identity', 'account']);

/** @param {CloseEvent} event */
function closeText({ code, reason }) {
  if (code === 1006) return 'No connection';
  return `Closed by the server: ${reason === '' ? code : `${reason} (${code})`}`;
}

/**
 * What a row shows of a message; undefined when it is no event.
 * @param {string} text
 */
function parse(text) {
  try {
    const event = JSON.parse(text);
    const { time_us: timeUs, kind, commit, did } = event;
    if (!Number.isSafeInteger(timeUs)) return undefined;
    const { operation, collection, rkey } = commit ?? {};
    const about = commit === undefined ? accountText(event) : (recordText(commit.record) ?? rkey);
    return {
      timeUs,
      action: String(operation ?? kind),
      collection: String(collection ?? did),
      what: String(about ?? '').slice(0, summaryMax),
      whole: JSON.stringify(event, null, 2),
    };
  } catch {
    return undefined;
  }
}

/** @param {any} event */
function accountText({ identity, account }) {
  if (account !== undefined) return account.active ? 'active' : (account.status ?? 'not active');
  return identity?.handle;
}

/**
 * The part of a record that says most. Records have any shape.
 * @param {any} record
 */
function recordText(record) {
  const { text, subject, displayName, name, title, description } = record ?? {};
  const texts = [text, displayName, name, title, subject?.uri, subject, description];
  return texts.find((value) => typeof value === 'string' && value !== '');
}
