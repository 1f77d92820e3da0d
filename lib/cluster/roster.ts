// What nodes of a cluster tell each other about themselves, once a second, for people who look at any of them. Nothing is decided by it,
// nothing is stored, and what is lost comes again a second later.

import type { Engine } from './engine.ts';
import type { NodeRole } from './stream-layout.ts';

const tellMs = 1_000;
/** A node that has said nothing for so long is not shown any more. */
const silentMs = 5_000;
/** Most nodes that are remembered. */
const nodesMax = 64;

/** What a node says of itself. */
export interface NodeNote {
  readonly node: string;
  readonly role: NodeRole;
  readonly isWriting: boolean;
  readonly isCaughtUp: boolean;
  /** `time_us` where its log ends. */
  readonly lastTimeUs: number;
  /** Times since it started that the stream took no message of it for a second or more, and the longest of them. */
  readonly pauses: number;
  readonly longestPauseMs: number;
}

/** See the file comment. */
export class Roster {
  readonly #engine: Engine;
  readonly #own: () => NodeNote;
  readonly #others = new Map<string, { readonly note: NodeNote; readonly atMs: number }>();
  readonly #unhear: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(engine: Engine, own: () => NodeNote) {
    this.#engine = engine;
    this.#own = own;
    this.#unhear = engine.hear((text) => this.#heard(text));
    this.#timer = setInterval(() => engine.tell(JSON.stringify(own())), tellMs).unref();
  }

  /** This node, and those that it has heard of, by name. */
  get nodes(): readonly NodeNote[] {
    const own = this.#own();
    const sinceMs = performance.now() - silentMs;
    const others = [...this.#others.values()].filter(({ atMs }) => atMs >= sinceMs);
    return [own, ...others.map(({ note }) => note)].sort((one, other) => (one.node < other.node ? -1 : 1));
  }

  /** Says goodbye, too: it is not to be seen as one that has died. */
  stop(): void {
    clearInterval(this.#timer);
    this.#unhear();
    this.#engine.tell(JSON.stringify({ node: this.#own().node }));
  }

  #heard(text: string): void {
    const note = readNote(text);
    if (note === undefined || note.node === this.#own().node) return;
    this.#others.delete(note.node);
    if (!('role' in note)) return;
    const [oldest] = this.#others.keys();
    if (this.#others.size >= nodesMax - 1) this.#others.delete(oldest);
    this.#others.set(note.node, { note, atMs: performance.now() });
  }
}

/** Only its name of a node that goes; undefined for anything else. */
function readNote(text: string): NodeNote | Pick<NodeNote, 'node'> | undefined {
  let said: Partial<Record<keyof NodeNote, unknown>>;
  try {
    said = Object(JSON.parse(text));
  } catch {
    return undefined;
  }
  const { node, role, isWriting, isCaughtUp, lastTimeUs, pauses, longestPauseMs } = said;
  if (typeof node !== 'string' || !/^[0-9a-f]{12}$/.test(node)) return undefined;
  if (role === undefined) return { node };
  if (role !== 'both' && role !== 'ingest' && role !== 'serve') return undefined;
  const numbers = [lastTimeUs, pauses, longestPauseMs].map(Number);
  if (!numbers.every(Number.isFinite)) return undefined;
  return {
    ...{ node, role, isWriting: isWriting === true, isCaughtUp: isCaughtUp === true },
    ...{ lastTimeUs: numbers[0], pauses: numbers[1], longestPauseMs: numbers[2] },
  };
}
