// Checks frames that are held back until they are answered: each account in its order, and no account for another. It owns the line in
// which an account's frames wait for its key or for a second look, and the bounds of all lines: in frames, bytes and time. Beyond them
// frames are answered as unchecked; none is lost. Who holds them, and what an answer does, is the other thread's.

import { Frame, frameTypes } from '../decode/frame.ts';
import { numberOf, type Reason } from '../event/verdict.ts';
import type { Appealed } from './appeals.ts';
import { Arming } from './arming.ts';
import type { BatchKeys } from './batch-check.ts';
import { type Case, CommitJudge, type Doubt, type JudgeOptions } from './commit-judge.ts';
import { type Answers, type HeldBatch, type HeldIncident, monotonicMs } from './verifier-messages.ts';

/** How long a frame waits; while nothing is dropped no longer than beside the stream. */
const armedWaitMs = 10_000;
const warmingWaitMs = 20;
/** What waits in lines: of all accounts, and of one. */
const framesMax = 8_192;
const bytesMax = 32 * 1024 * 1024;
const lineFramesMax = 64;
/** How long a batch waits for keys that lie on the disk. */
const diskMs = 2;

export interface HeldCheckOptions extends JudgeOptions {
  readonly keys: BatchKeys;
  readonly answered: (answers: Answers) => void;
  readonly incident: (incident: HeldIncident) => void;
  /** Told that {@link HeldCheck.goOn} has something to do; once until it is called. */
  readonly wake: () => void;
  /** For tests. */
  readonly arming?: Arming;
}

interface Waiting {
  readonly id: number;
  readonly seq: number;
  readonly isSigned: boolean;
  readonly bytes: Uint8Array;
  readonly untilMs: number;
  /** When it came, in milliseconds since 1970. */
  readonly seenMs: number;
  doubt?: Doubt;
  appealed?: Appealed;
}

/** Frames of one account, the first of which waits for something. */
interface Line {
  readonly frames: Waiting[];
  isAsking: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** See the file comment. */
export class HeldCheck {
  readonly arming: Arming;
  readonly #options: HeldCheckOptions;
  readonly #judge: CommitJudge;
  readonly #frame = new Frame();
  /** By account, the one that has waited longest first. */
  readonly #lines = new Map<string, Line>();
  #frames = 0;
  #bytes = 0;
  /** Accounts whose line may go on. */
  #ready = new Set<string>();
  /** Appeals that were not waited for. */
  #late: {
    readonly did: string;
    readonly frame: Pick<Waiting, 'seq' | 'seenMs'>;
    readonly appealed: Appealed;
  }[] = [];
  #isAwake = false;
  /** Counts up with {@link begin}. */
  #life = 0;
  /** As it was when what is being done began: answers that go together were found under one rule. */
  #isArmed = false;
  /** Of the next answers. */
  #number = 1;
  #ids: number[] = [];
  #reasons: number[] = [];
  /** The frame that is judged. */
  #id = 0;

  constructor(options: HeldCheckOptions) {
    this.#options = options;
    this.arming = options.arming ?? new Arming();
    this.#judge = new CommitJudge(options, (incident) =>
      options.incident({ incident, id: this.#id, isArmed: this.#isArmed }),
    );
  }

  /** Whoever writes the log begins, or begins again: nothing that waits is asked for any more. */
  begin(storedAnswers: number): void {
    const { states, nowMs } = this.#options;
    this.#life++;
    for (const line of this.#lines.values()) clearTimeout(line.timer);
    this.#lines.clear();
    this.#ready.clear();
    this.#late = [];
    this.#frames = this.#bytes = 0;
    states.forget(storedAnswers);
    states.skipped(nowMs() * 1000);
  }

  /** Answers the frames of a batch, or puts them into lines. Calls of this and of {@link goOn} must not overlap. */
  async run({ firstId, bytes, ends }: HeldBatch): Promise<void> {
    this.#isArmed = this.arming.isArmed;
    const frames = await this.#open(bytes, ends, firstId);
    const dids = new Set(frames.map(({ did }) => did));
    await this.#prepare(dids, new Set(frames.flatMap(({ did, isSigned }) => (isSigned ? did : []))));
    for (const { did, ...frame } of frames) this.#take(did, frame);
    this.#flush();
  }

  /** Answers what need not wait any more. */
  async goOn(): Promise<void> {
    this.#isAwake = false;
    this.#isArmed = this.arming.isArmed;
    const ready = this.#ready;
    const late = this.#late;
    this.#ready = new Set();
    this.#late = [];
    await this.#options.states.load(new Set([...ready, ...late.map(({ did }) => did)]));
    for (const did of ready) this.#proceed(did);
    for (const { did, frame, appealed } of late) {
      this.#id = 0;
      this.#judge.decide(this.#caseOf(did, frame), appealed, true);
    }
    this.#flush();
  }

  async #open(
    bytes: Uint8Array,
    ends: Uint32Array,
    firstId: number,
  ): Promise<(Waiting & { readonly did: string })[]> {
    const { keys } = this.#options;
    const frame = this.#frame;
    const changes: Promise<void>[] = [];
    const seenMs = this.#options.nowMs();
    const untilMs = monotonicMs() + (this.#isArmed ? armedWaitMs : warmingWaitMs);
    let start = 0;
    const frames = Array.from(ends, (end, at) => {
      const own = bytes.subarray(start, end);
      start = end;
      frame.read(own);
      const { seq, type } = frame;
      const did = textOf(own, frame.didStart, frame.didEnd);
      if (type === frameTypes.identity) {
        const timeMs = Date.parse(textOf(own, frame.timeStart, frame.timeEnd));
        // The next commit comes soon, and should not have to wait.
        const ask = (): void => void keys.keyAtHand(did);
        changes.push(keys.doubt(did, Number.isNaN(timeMs) ? undefined : timeMs).then(ask));
      }
      const isSigned = type === frameTypes.commit || type === frameTypes.sync;
      return { did, id: firstId + at, seq, isSigned, bytes: own, untilMs, seenMs };
    });
    await Promise.all(changes);
    return frames;
  }

  /** Has states in memory, and those keys that are on the disk. */
  async #prepare(dids: ReadonlySet<string>, signers: ReadonlySet<string>): Promise<void> {
    const { keys, states } = this.#options;
    const asked = [...signers].filter((did) => keys.peek(did) === undefined);
    const answers = Promise.all(asked.map((did) => keys.keyAtHand(did)));
    await states.load(dids);
    if (asked.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, diskMs);
    });
    await Promise.race([answers, late]);
    clearTimeout(timer);
  }

  #take(did: string, frame: Waiting): void {
    const line = this.#lines.get(did);
    if (line === undefined) {
      const reason = this.#reasonOf(did, frame, false);
      if (reason !== undefined) this.#answer(frame, reason);
      else this.#wait(did, { frames: [], isAsking: false, timer: undefined }, frame);
      return;
    }
    if (line.frames.length >= lineFramesMax) this.#release(did, line);
    // It may have gone.
    if (this.#lines.get(did) === line) this.#wait(did, line, frame);
    else this.#take(did, frame);
  }

  /** Puts a frame at the end of a line, in memory of its own. */
  #wait(did: string, line: Line, frame: Waiting): void {
    while (this.#frames > 0 && (this.#frames >= framesMax || this.#bytes + frame.bytes.length > bytesMax)) {
      const [[oldest, other]] = this.#lines;
      this.#release(oldest, other);
    }
    line.frames.push(Object.assign(frame, { bytes: Uint8Array.from(frame.bytes) }));
    this.#lines.set(did, line);
    this.#frames++;
    this.#bytes += frame.bytes.length;
    this.#await(did, line);
  }

  /** Has a line go on when what its first frame waits for is there, or when that has waited for too long. */
  #await(did: string, line: Line): void {
    const [first] = line.frames;
    line.timer ??= setTimeout(() => this.#wakeFor(did), Math.max(0, first.untilMs - monotonicMs()) + 1);
    if (line.isAsking || first.doubt !== undefined) return;
    line.isAsking = true;
    const answered = (): void => {
      line.isAsking = false;
      this.#wakeFor(did);
    };
    this.#options.keys.keyAtHand(did).then(answered, answered);
  }

  #wakeFor(did: string): void {
    if (!this.#lines.has(did)) return;
    this.#ready.add(did);
    this.#wake();
  }

  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#options.wake();
  }

  /** Lets all frames of a line go, whatever they wait for. */
  #release(did: string, line: Line): void {
    for (const frame of line.frames) this.#answer(frame, this.#reasonOf(did, frame, true) as Reason);
    this.#remove(did, line, line.frames.length);
  }

  #proceed(did: string): void {
    const line = this.#lines.get(did);
    if (line === undefined) return;
    clearTimeout(line.timer);
    line.timer = undefined;
    let gone = 0;
    for (const frame of line.frames) {
      const reason = this.#reasonOf(did, frame, monotonicMs() >= frame.untilMs);
      if (reason === undefined) break;
      this.#answer(frame, reason);
      gone++;
    }
    this.#remove(did, line, gone);
    if (line.frames.length > 0) this.#await(did, line);
  }

  #remove(did: string, line: Line, count: number): void {
    for (const { bytes } of line.frames.splice(0, count)) this.#bytes -= bytes.length;
    this.#frames -= count;
    if (line.frames.length > 0) return;
    clearTimeout(line.timer);
    line.timer = undefined;
    this.#lines.delete(did);
  }

  /** The answer to a frame that is its account's next; undefined when it has to wait. @param isLate it waits for nothing. */
  #reasonOf(did: string, frame: Waiting, isLate: boolean): Reason | undefined {
    if (!frame.isSigned) return 'not_asked';
    const of = this.#caseOf(did, frame);
    this.#id = frame.id;
    if (frame.doubt === undefined) {
      if (!isLate && this.#options.keys.peek(did) === undefined) return undefined;
      const judged = this.#judge.judge(frame.bytes, of);
      if (typeof judged === 'string') return judged;
      if (judged.appeal === undefined) return this.#judge.pass(of, judged.meanwhile);
      frame.doubt = judged;
      const life = this.#life;
      void judged.appeal.then((appealed) => {
        if (life === this.#life) this.#appealed(did, frame, appealed);
      });
    }
    if (frame.appealed !== undefined) return this.#judge.decide(of, frame.appealed, false);
    return isLate ? this.#judge.pass(of, frame.doubt.meanwhile) : undefined;
  }

  #appealed(did: string, frame: Waiting, appealed: Appealed): void {
    frame.appealed = appealed;
    if (this.#lines.get(did)?.frames[0] === frame) this.#wakeFor(did);
    else {
      this.#late.push({ did, frame: { seq: frame.seq, seenMs: frame.seenMs }, appealed });
      this.#wake();
    }
  }

  #caseOf(did: string, { seq, seenMs }: Pick<Waiting, 'seq' | 'seenMs'>): Case {
    return { did, seq, seenMs, batch: this.#number };
  }

  #answer({ id, isSigned }: Waiting, reason: Reason): void {
    this.#ids.push(id);
    this.#reasons.push(numberOf(reason));
    if (isSigned) this.arming.note(reason);
  }

  #flush(): void {
    if (this.#ids.length === 0) return;
    this.#options.answered({
      number: this.#number++,
      ids: Float64Array.from(this.#ids),
      reasons: Uint8Array.from(this.#reasons),
      isArmed: this.#isArmed,
      waitingFrames: this.#frames,
    });
    this.#ids = [];
    this.#reasons = [];
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
