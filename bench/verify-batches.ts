// Commits of a simulated network checked in batches, as the thread beside the stream does it, but for its sockets: frames through the ring,
// states of accounts from LevelDB and back into it, keys from memory. What it takes of a core is for figure-verify.ts to say.

import { Frame, frameTypes } from '../lib/decode/frame.ts';
import { numberOf } from '../lib/event/verdict.ts';
import { AccountStates } from '../lib/verifier/account-states.ts';
import { AccountStore } from '../lib/verifier/account-store.ts';
import { BatchCheck, type BatchKeys } from '../lib/verifier/batch-check.ts';
import { FrameReceiver, FrameSender } from '../lib/verifier/frame-ring.ts';
import type { SignatureChecker } from '../lib/verify/signature.ts';
import { VerifyingKey } from '../lib/verify/verifying-key.ts';
import { SyntheticNetwork } from '../simulator/lib/network.ts';
import { TemporaryDirectory } from './processes.ts';
import type { Sample } from './report.ts';

/** As `--verify enforce` sends them while it catches up. */
const batchFrames = 64;
const accounts = 100;

/** Commits of accounts of secp256k1, in their order, and syncs, without which they would not follow one another. */
export class VerifyBatches {
  readonly #frames: readonly Uint8Array[];
  readonly #keys: ReadonlyMap<string, VerifyingKey>;

  private constructor(frames: readonly Uint8Array[], keys: ReadonlyMap<string, VerifyingKey>) {
    this.#frames = frames;
    this.#keys = keys;
  }

  static async create(frameCount: number): Promise<VerifyBatches> {
    const network = new SyntheticNetwork({ seed: 'verify batches', accounts });
    const frame = new Frame();
    const frames: Uint8Array[] = [];
    const keys = new Map<string, VerifyingKey>();
    for (let index = 0; index < frameCount; index++) {
      const { bytes } = await network.next();
      frame.read(bytes);
      if (frame.type !== frameTypes.commit && frame.type !== frameTypes.sync) continue;
      const did = Buffer.from(bytes.subarray(frame.didStart, frame.didEnd)).toString();
      const key = VerifyingKey.parse(network.signingKeyOf(did) ?? '');
      if (key?.curve !== 'secp256k1') continue;
      keys.set(did, keys.get(did) ?? key);
      frames.push(bytes);
    }
    return new VerifyBatches(frames, keys);
  }

  /** Commits a second of a core, of all threads of this process. Goes through all as often as it takes. */
  async rate(signatures: SignatureChecker, msMin: number): Promise<Sample> {
    let us = 0;
    let events = 0;
    for (; us < msMin * 1000; events += this.#frames.length) us += await this.#run(signatures);
    return { value: events / (us / 1e6), events, cpuUsPerEvent: us / events };
  }

  /** Microseconds of processor time for all frames. */
  async #run(signatures: SignatureChecker): Promise<number> {
    await using directory = await TemporaryDirectory.make();
    const store = await AccountStore.open(directory.path);
    const states = new AccountStates(store, 0);
    const keys = new KnownKeys(this.#keys);
    const common = { keys, states, signatures, nowMs: Date.now };
    const check = new BatchCheck({ ...common, incident: () => {}, isBehind: () => false });
    const sender = new FrameSender();
    const receiver = new FrameReceiver(sender.memory);
    const before = process.cpuUsage();
    for (let at = 0; at < this.#frames.length; at += batchFrames) {
      for (const bytes of this.#frames.slice(at, at + batchFrames)) sender.add(bytes);
      sender.free();
      sender.send({ answerByMs: Number.POSITIVE_INFINITY, storedBatch: 0, hasSkipped: false });
      const batch = receiver.take();
      if (batch === undefined) throw new Error('a batch does not fit');
      await check.run(batch, (reasons, isDone) => {
        for (const reason of reasons)
          if (reason !== continuous && reason !== firstSight) throw new Error('a commit is not verified');
        receiver.answer(reasons, isDone);
      });
      receiver.done();
    }
    await states.write(Number.MAX_SAFE_INTEGER);
    const { user, system } = process.cpuUsage(before);
    await store.close();
    return user + system;
  }
}

const continuous = numberOf('continuous');
const firstSight = numberOf('first_sight');

/** Keys that are all in memory. */
class KnownKeys implements BatchKeys {
  readonly #keys: ReadonlyMap<string, VerifyingKey>;

  constructor(keys: ReadonlyMap<string, VerifyingKey>) {
    this.#keys = keys;
  }

  peek(did: string): VerifyingKey | undefined {
    return this.#keys.get(did);
  }

  async keyAtHand(did: string): Promise<VerifyingKey | 'key_unknown'> {
    return this.#keys.get(did) ?? 'key_unknown';
  }

  async recheck(): Promise<'key_unknown'> {
    return 'key_unknown';
  }

  async keysAt(): Promise<{ readonly keys: readonly VerifyingKey[]; readonly lack: 'key_unknown' }> {
    return { keys: [], lack: 'key_unknown' };
  }

  async doubt(): Promise<void> {}
}
