// One input of the fuzzer: what a stranger writes on one connection, and what has to come of it. Each follows from a seed and a
// number alone, so that a run is repeated by them.

import { SeededRandom } from '../../lib/seeded-random.ts';
import { bodyInput, oddFramingInput, pipelineInput, requestInput } from './http-inputs.ts';
import { mutate } from './mutation.ts';
import { framesInput, handshakeInput, updatesInput } from './websocket-inputs.ts';

/** What has to come of an input. */
export interface Due {
  /** Methods of the requests that have to be answered, in their order: all that is strictly HTTP. */
  readonly methods?: readonly string[];
  /** Statuses that the last of these may have; any that is documented without. */
  readonly lastStatuses?: readonly number[];
  /** Answers that there may be. */
  readonly answersMax?: number;
  /** Of a WebSocket: the code of the close frame that has to come, or that a pong with {@link lastPing} has to. */
  readonly outcome?: number | 'pong';
}

/** See the file comment. */
export interface Draft {
  readonly bytes: Buffer;
  readonly due: Due;
}

export interface FuzzInput {
  readonly kind: string;
  /** One after the other, with a moment between them. */
  readonly writes: readonly Buffer[];
  readonly due: Due;
  /** What the client does when it has what is due. */
  readonly end: 'fin' | 'reset';
  /** Whether it says nothing more where nothing is due, and waits for the server to end it. */
  readonly isSilent: boolean;
}

/** Payload of the ping that ends a WebSocket input. */
export const lastPing = 'fuzz';

const kinds: Readonly<Record<string, (random: SeededRandom) => Draft>> = {
  request: requestInput,
  pipeline: pipelineInput,
  body: bodyInput,
  'odd framing': oddFramingInput,
  handshake: handshakeInput,
  frames: framesInput,
  updates: updatesInput,
};
const kindNames = Object.keys(kinds);

/** Share of inputs with mutated bytes. */
const mutatedShare = 0.4;
/** One in so many of those of which nothing is due says nothing more. */
const silentEvery = 100;

/** The input of a number. */
export function inputOf(seed: string, number: number): FuzzInput {
  const random = new SeededRandom(seed, `input ${number}`);
  const kind = random.pick(kindNames);
  const draft = kinds[kind](random);
  const isMutated = random.chance(mutatedShare);
  const bytes = isMutated ? mutate(random, draft.bytes) : draft.bytes;
  const due = isMutated ? {} : draft.due;
  return {
    kind: isMutated ? `${kind}, mutated` : kind,
    writes: split(random, bytes),
    due,
    end: random.pick(['fin', 'reset']),
    isSilent: isMutated && random.int(silentEvery) === 0,
  };
}

function split(random: SeededRandom, bytes: Buffer): Buffer[] {
  if (random.chance(0.6)) return [bytes];
  const cuts = Array.from({ length: random.between(1, 4) }, () => random.int(bytes.length + 1)).sort(
    (a, b) => a - b,
  );
  return [0, ...cuts].map((from, at) => bytes.subarray(from, cuts[at])).filter(({ length }) => length > 0);
}
