// The engine as a stream in memory that does what it is told to: answers that are lost, late, wrong or of a replica that is behind.
// And a clock on which waiting takes no time.

import type {
  AppendOutcome,
  BatchEnd,
  Engine,
  LeaseStore,
  LeaseWrite,
  StoredMessage,
  StreamMessage,
  StreamState,
  UnsureReason,
} from '../../lib/cluster/engine.ts';
import type { WriterClock } from '../../lib/cluster/stream-writer.ts';

/**
 * What the next attempt to append meets.
 * - `ok`
 * - `lost`: it is stored, and the answer does not come
 * - an `UnsureReason`: it is not stored
 * - `foreign`: another writer is quicker
 * - `foreign_trimmed`: so it is, and its message is not kept
 * - `proposed`: refused because of a message that comes to nothing
 * - `elsewhere`: told to be stored at another place
 */
export type AppendFault =
  | 'ok'
  | 'lost'
  | UnsureReason
  | 'foreign'
  | 'foreign_trimmed'
  | 'proposed'
  | 'elsewhere';

/** What the next answer of the leader to a read is. */
export type ReadFault = 'ok' | 'silent' | 'empty' | 'forgetful';

/**
 * What the next batch meets.
 * - `behind`: the replica has less than the leader
 * - `silent`, `broken`: no answer, or half of one
 * - `jump`: it begins one after the next
 * - `damaged`: one byte of its first message is another
 */
export type BatchFault = 'ok' | 'behind' | 'silent' | 'broken' | 'jump' | 'damaged';

/** What becomes of a doorbell. */
export type BellFault = 'ok' | 'missed' | 'twice' | 'late' | 'damaged';

/** See the file comment. */
export class FakeEngine implements Engine {
  messageBytesMax = 8 * 1024 * 1024;
  isConnected = true;
  reconnects = 0;
  hops = 0;
  readonly stored: StoredMessage[] = [];
  lastSequence = 0;
  /** Messages up to here are not kept. */
  trimmedTo = 0;
  /** Whether ids are known again. */
  knowsIds = true;
  readonly appendFaults: AppendFault[] = [];
  readonly readFaults: ReadFault[] = [];
  readonly batchFaults: BatchFault[] = [];
  readonly bellFaults: BellFault[] = [];
  readonly lease = new FakeLease();
  /** Most messages in a batch. */
  batchMax = 50;
  /** The most that were under way together. */
  appendsAtOnce = 0;
  #appends = 0;
  batchesAtOnce = 0;
  #batches = 0;
  readonly #listening = new Set<(text: string) => void>();
  #heard = new Set<(message: StoredMessage) => void>();
  #late: StoredMessage[] = [];

  async append(message: StreamMessage, lastSequence: number): Promise<AppendOutcome> {
    this.appendsAtOnce = Math.max(this.appendsAtOnce, ++this.#appends);
    await turn();
    this.#appends--;
    const fault = this.appendFaults.shift() ?? 'ok';
    if (fault === 'foreign' || fault === 'foreign_trimmed') {
      this.store({ id: `rival.${this.lastSequence}`, bytes: message.bytes });
      if (fault === 'foreign_trimmed') this.trimmedTo = this.lastSequence;
    }
    if (fault === 'proposed') return { kind: 'refused' };
    if (fault === 'elsewhere') return { kind: 'stored', sequence: lastSequence + 7, isDuplicate: false };
    if (fault !== 'ok' && fault !== 'lost' && !fault.startsWith('foreign'))
      return { kind: 'unsure', why: fault as UnsureReason };
    const known = this.knowsIds ? this.stored.find(({ id }) => id === message.id) : undefined;
    let outcome: AppendOutcome;
    if (known !== undefined) outcome = { kind: 'stored', sequence: known.sequence, isDuplicate: true };
    else if (this.lastSequence !== lastSequence) outcome = { kind: 'refused' };
    else outcome = { kind: 'stored', sequence: this.store(message), isDuplicate: false };
    return fault === 'lost' ? { kind: 'unsure', why: 'timeout' } : outcome;
  }

  /** Stores a message whatever anybody expects, and rings. */
  store({ id, bytes }: StreamMessage): number {
    const message = { id, bytes, sequence: ++this.lastSequence };
    this.stored.push(message);
    this.#ring(message);
    return message.sequence;
  }

  /** The servers come back without the last ones. */
  forget(messages: number): void {
    this.stored.splice(-messages);
    this.lastSequence -= messages;
  }

  async state(): Promise<StreamState | undefined> {
    await turn();
    const fault = this.readFaults.shift() ?? 'ok';
    if (fault === 'silent') return undefined;
    const lastSequence = fault === 'forgetful' ? Math.max(0, this.lastSequence - 9) : this.lastSequence;
    return { firstSequence: this.trimmedTo + 1, lastSequence, timeMs: Date.now() };
  }

  async message(sequence: number): Promise<StoredMessage | null | undefined> {
    await turn();
    const fault = this.readFaults.shift() ?? 'ok';
    if (fault === 'silent') return undefined;
    if (fault === 'empty' || sequence <= this.trimmedTo) return null;
    return this.stored.find((message) => message.sequence === sequence) ?? null;
  }

  async batch(
    sequence: number,
    _bytesMax: number,
    take: (message: StoredMessage) => void,
  ): Promise<BatchEnd> {
    this.batchesAtOnce = Math.max(this.batchesAtOnce, ++this.#batches);
    await turn();
    this.#batches--;
    const fault = this.batchFaults.shift() ?? 'ok';
    if (fault === 'silent') return 'silent';
    const from = fault === 'jump' ? sequence + 1 : sequence;
    let kept = this.stored.filter((message) => message.sequence > this.trimmedTo && message.sequence >= from);
    if (fault === 'behind') kept = kept.slice(0, -1);
    const sent = kept.slice(0, fault === 'broken' ? 1 : this.batchMax);
    if (fault === 'damaged' && sent.length > 0) sent[0] = damage(sent[0]);
    for (const message of sent) take(message);
    if (fault === 'broken') return 'silent';
    return kept.length > sent.length ? 'more' : 'end';
  }

  follow(heard: (message: StoredMessage) => void): () => void {
    this.#heard.add(heard);
    return () => this.#heard.delete(heard);
  }

  tell(text: string): void {
    for (const heard of this.#listening) heard(text);
  }

  hear(heard: (text: string) => void): () => void {
    this.#listening.add(heard);
    return () => this.#listening.delete(heard);
  }

  hop(): void {
    this.hops++;
  }

  async close(): Promise<void> {}

  #ring(message: StoredMessage): void {
    const fault = this.bellFaults.shift() ?? 'ok';
    const late = this.#late;
    this.#late = [];
    const rung = fault === 'damaged' ? damage(message) : message;
    for (const heard of this.#heard) {
      if (fault !== 'missed' && fault !== 'late') heard(rung);
      if (fault === 'twice') heard(rung);
      for (const earlier of late) heard(earlier);
    }
    if (fault === 'late') this.#late.push(message);
  }
}

/** One value; time is its caller's. */
export class FakeLease implements LeaseStore {
  value: string | null = null;
  revision = 0;
  /** What the next writes meet: `lost` is written, and the answer does not come; `silent` is not written. */
  readonly faults: ('ok' | 'lost' | 'silent')[] = [];
  readonly readFaults: ('ok' | 'silent')[] = [];
  #heard = new Set<(value: string) => void>();

  async write(value: string, revision: number): Promise<LeaseWrite> {
    await turn();
    const fault = this.faults.shift() ?? 'ok';
    if (fault === 'silent') return { kind: 'unsure' };
    for (const heard of this.#heard) heard(value);
    if (revision !== (this.value === null ? 0 : this.revision)) return { kind: 'refused' };
    this.value = value;
    this.revision++;
    return fault === 'lost' ? { kind: 'unsure' } : { kind: 'written', revision: this.revision };
  }

  async read(): Promise<{ value: string; revision: number } | null | undefined> {
    await turn();
    if (this.readFaults.shift() === 'silent') return undefined;
    return this.value === null ? null : { value: this.value, revision: this.revision };
  }

  watch(heard: (value: string) => void): () => void {
    this.#heard.add(heard);
    return () => this.#heard.delete(heard);
  }

  /** Another node writes it, or it expires. */
  set(value: string | null): void {
    this.value = value;
    this.revision++;
  }
}

/** A clock on which waiting takes a turn of the event loop. */
export class FakeClock implements WriterClock {
  timeMs = 0;
  readonly nowMs = (): number => this.timeMs;
  readonly sleep = async (ms: number): Promise<void> => {
    this.timeMs += ms;
    await turn();
  };
}

function damage(message: StoredMessage): StoredMessage {
  const bytes = Buffer.from(message.bytes);
  bytes[Math.floor(bytes.length / 2)] ^= 1;
  return { ...message, bytes };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
