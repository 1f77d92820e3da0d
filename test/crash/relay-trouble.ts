// What a relay can do wrong while the daemon reads from it, one kind of trouble a function. Each leaves the relay well
// again. Which events the relay itself makes unavailable by it, the relay's history knows.

import { setTimeout as delay } from 'node:timers/promises';
import type { SeededRandom } from '../../lib/seeded-random.ts';
import { encodeError } from '../../simulator/lib/frame-encoder.ts';
import { noFaults } from '../../simulator/lib/relay-faults.ts';
import type { CrashRun } from './crash-run.ts';

/** Frames that the relay of a run with trouble can go back. */
export const troubleBacklogFrames = 20_000;
/** Frames that may be lost when the relay starts over: those that the daemon does not read before the connection ends. */
const lostFrames = 50;

/** Makes trouble for a while; has ended when the relay is well again. */
export type Trouble = (run: CrashRun, random: SeededRandom) => Promise<void>;

/** Waits for the daemon to come back that many times. */
async function comeBack(run: CrashRun, times = 1): Promise<void> {
  const { server } = run.relay;
  const accepted = server.accepted + times;
  await run.until(() => server.accepted >= accepted, `the daemon connects ${times} times`);
}

/** Kinds of trouble that need nothing of the daemon: it may be dead meanwhile. */
export const troubles: Readonly<Record<string, Trouble>> = {
  async 'cuts connections after some frames'(run, random) {
    const { server } = run.relay;
    server.setFaults({ dropAfterFrames: random.between(100, 900) });
    await comeBack(run, 3);
    server.setFaults(noFaults);
  },

  async 'sends old frames again'(run, random) {
    const { server } = run.relay;
    server.setFaults({ rewindFrames: random.between(1, 5000) });
    const back = comeBack(run);
    server.dropConnections(random.pick(['close', 'end', 'reset'] as const));
    await back;
    server.setFaults(noFaults);
  },

  async 'leaves out sequences'(run, random) {
    for (let jump = 0; jump < 3; jump++) {
      run.relay.jump(random.pick([1, 17, 1000, 1_000_000]));
      await delay(random.between(1, 60));
    }
  },

  async 'cuts frames in the middle'(run) {
    const back = comeBack(run);
    run.relay.server.dropConnectionsMidFrame();
    await back;
  },

  async 'sends nonsense'(run, random) {
    const { server } = run.relay;
    server.sendRaw('text');
    server.sendRaw(random.bytes(random.between(1, 2000)));
    server.sendRaw(encodeError('Unheard', 'of'));
    server.sendRaw(new Uint8Array(0));
  },

  async 'refuses connections'(run, random) {
    const { server } = run.relay;
    server.setFaults({ refuseStatus: random.pick([1, 429, 503]) });
    server.dropConnections('reset');
    await delay(random.between(50, 400));
    const back = comeBack(run);
    server.setFaults(noFaults);
    await back;
  },

  async 'finds the reader too slow'(run) {
    const { server } = run.relay;
    run.daemon?.freeze(true);
    // More than the backlog and all buffers on the way.
    await server.publish(2 * troubleBacklogFrames);
    await delay(100);
    const back = comeBack(run);
    run.daemon?.freeze(false);
    await back;
  },
};

/**
 * The relay starts its sequences over at `seq`. The daemon must be alive; on return it has events of the new sequences,
 * and so has its log. @param framesPerSecond to go on with.
 */
export async function startOver(run: CrashRun, seq: number, framesPerSecond: number): Promise<void> {
  const { relay } = run;
  relay.server.setRate(0);
  await run.caughtUp();
  await relay.restart(seq, lostFrames);
  const back = comeBack(run);
  relay.server.dropConnections();
  await back;
  relay.server.setRate(framesPerSecond);
  const { events } = run.subscribers[0].check;
  await run.until(() => run.subscribers[0].check.events > events, 'events with new sequences');
}
