// The live list: one WebSocket, counts of all that it brings, and a few rows of it. Counting costs a microsecond an
// event; drawing happens four times a second, takes only the newest and forgets the rest, so that no rate freezes it.

import { Decompressor } from './decompressor.js';
import { byId, setText } from './elements.js';
import { compressedRow, eventRow, fillRow } from './event-row.js';
import { bytes, count, duration, rate } from './format.js';

const drawMs = 250;
/** Rows added at a time, and rows there are. */
const rowsPerDraw = 5;
const rowsMax = 60;
/** Characters of a refusal that are shown. */
const refusalMax = 240;
/** Draws that the rate is the mean of. */
const rateDraws = 8;

const encoder = new TextEncoder();

/** In the list while it is empty; also in index.html. */
const startHint = 'Press Start, and events appear here.';

/** A subscription and what is shown of it. There is one. */
export class EventStream {
  /** Server's clock minus this one. */
  clockOffsetMs = 0;
  /** Told whether it is open, or about to be. */
  onOpenChange = () => {};
  /** @type {WebSocket | undefined} */
  #socket;
  #isPaused = false;
  /** Newest messages that were not drawn, oldest first. @type {(string | Uint8Array)[]} */
  #waiting = [];
  #events = 0;
  #bytes = 0;
  /** Not shown, because they came too fast, or while the list was paused. */
  #tooFast = 0;
  #whilePaused = 0;
  #decompressor = new Decompressor();
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
    this.#events = this.#bytes = this.#tooFast = this.#whilePaused = 0;
    this.#eventsAtDraws = [];
    this.#list.replaceChildren();
    this.#setPaused(false);
    this.#list.dataset.empty = 'Waiting for the first event…';
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
    // One that is closed before it is open is a failure on the browser's console.
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(1000);
    else socket.close(1000);
    this.#ended('Stopped');
  }

  /** @param {string} why */
  #ended(why) {
    clearInterval(this.#drawTimer);
    this.#draw();
    this.#socket = undefined;
    this.#list.dataset.empty = startHint;
    this.#pause.setAttribute('disabled', '');
    this.#say(why);
    this.onOpenChange();
  }

  /** @param {string | ArrayBuffer} data */
  #take(data) {
    this.#events++;
    const message = typeof data === 'string' ? data : new Uint8Array(data);
    this.#bytes += typeof message === 'string' ? encoder.encode(message).length : message.length;
    this.#waiting.push(message);
    // Cut rarely: each cut copies.
    if (this.#waiting.length > 64 * rowsPerDraw) this.#skip();
  }

  /** Leaves as many messages as one draw shows. */
  #skip() {
    const skipped = Math.max(0, this.#waiting.length - rowsPerDraw);
    if (this.#isPaused) this.#whilePaused += skipped;
    else this.#tooFast += skipped;
    this.#waiting.splice(0, skipped);
  }

  #draw() {
    if (this.#isPaused) {
      this.#whilePaused += this.#waiting.length;
      this.#waiting = [];
    } else {
      this.#skip();
      this.#drawRows();
    }
    this.#drawCounts();
  }

  #drawRows() {
    const rows = this.#waiting.map((message) => this.#row(message)).reverse();
    // What is on the way to read them comes soon: they wait, and the newest are shown then.
    if (this.#decompressor.isLoading) return;
    this.#list.prepend(...rows);
    while (this.#list.children.length > rowsMax) this.#list.lastElementChild?.remove();
    this.#waiting = [];
  }

  #drawCounts() {
    const draws = this.#eventsAtDraws;
    draws.push(this.#events);
    if (draws.length > rateDraws + 1) draws.shift();
    const perSecond = ((this.#events - draws[0]) / Math.max(1, draws.length - 1)) * (1000 / drawMs);
    setText(byId('count-events'), count(this.#events));
    setText(byId('count-rate'), rate(Math.round(perSecond)));
    setText(byId('count-bytes'), bytes(this.#bytes));
    setText(byId('count-hidden'), count(this.#tooFast));
    setText(byId('count-paused'), count(this.#whilePaused));
    byId('counted-paused').hidden = this.#whilePaused === 0;
  }

  /** @param {string | Uint8Array} message */
  #row(message) {
    const text = typeof message === 'string' ? message : this.#decompressor.read(message);
    if (text === undefined) return compressedRow(message.length);
    const { row, timeUs } = eventRow(text);
    if (timeUs !== undefined) {
      const behindMs = Date.now() + this.clockOffsetMs - timeUs / 1000;
      setText(byId('count-behind'), duration(Math.max(0, behindMs)));
    }
    return row;
  }

  /** @param {Event} event */
  #opened(event) {
    const details = /** @type {HTMLDetailsElement} */ (event.target);
    if (!details.open) return;
    this.#setPaused(true);
    fillRow(details);
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
      // The parameters are not why.
      if (this.isOpen || response.status === 426 || text.startsWith('Bad Request\n')) return;
      this.#say(`Refused: ${wordsOf(text).slice(0, refusalMax)}`);
    } catch {
      // It says already that there is no connection.
    }
  }
}

/** A refusal of the second wire is JSON. @param {string} text */
function wordsOf(text) {
  try {
    return String(JSON.parse(text).message ?? text);
  } catch {
    return text;
  }
}

/** @param {CloseEvent} event */
function closeText({ code, reason }) {
  if (code === 1006) return 'No connection';
  return `Closed by the server: ${reason === '' ? code : `${reason} (${code})`}`;
}
