// `GET /proof`: what a request asks for, and why there is no proof, in words. Pure.

import { isDid } from '../event/did.ts';
import type { RecordName } from '../proofs/event-finder.ts';
import type { ProofLack, ProofRequest } from '../proofs/proof-desk.ts';
import { eachQueryPair } from './query-pairs.ts';
import type { SubscribeFault } from './subscribe-query.ts';

/** The answer to a bad request. */
export interface ProofFault extends Omit<SubscribeFault, 'reason'> {
  readonly reason: 'bad_proof_request';
}

/** Names of the parameters; `seq` is what the second wire calls `time_us`. */
const names: readonly string[] = ['time_us', 'seq', 'uri'];
const uriPattern = /^at:\/\/([^/]+)\/([a-zA-Z0-9.-]+)\/([a-zA-Z0-9._~:-]{1,512})$/;

/** Reads a request; `rawQuery` as in `parseSubscribeQuery`. */
export function readProofQuery(rawQuery: string): ProofRequest | ProofFault {
  const given = new Map<string, string>();
  let twice: string | undefined;
  eachQueryPair(rawQuery, (name, value) => {
    if (!names.includes(name)) return;
    if (given.has(name)) twice = name;
    given.set(name, value);
  });
  if (twice !== undefined) return fault(`${twice} is given twice`);
  const timeText = given.get('time_us') ?? given.get('seq');
  const uriText = given.get('uri');
  if (timeText === undefined && uriText === undefined)
    return fault('give time_us of the event, or uri of the record (at://did/collection/rkey), or both');
  if (given.has('time_us') && given.has('seq'))
    return fault('time_us and seq are the same: give one of them');
  const timeUs = timeText === undefined ? undefined : timeOf(timeText);
  if (Number.isNaN(timeUs))
    return fault(`invalid time_us: ${timeText}: give the microseconds that the event has`);
  const record = uriText === undefined ? undefined : recordOf(uriText);
  if (uriText !== undefined && record === undefined)
    return fault(`invalid uri: ${uriText}: give at://did/collection/rkey, with the account's DID`);
  return { timeUs, record };
}

/** Whether there is a fault. */
export function isProofFault(result: ProofRequest | ProofFault): result is ProofFault {
  return 'status' in result;
}

function timeOf(text: string): number {
  const timeUs = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return timeUs > 0 && Number.isSafeInteger(timeUs) ? timeUs : Number.NaN;
}

function recordOf(text: string): RecordName | undefined {
  const [, did, collection, rkey] = uriPattern.exec(text) ?? [];
  return did === undefined || !isDid(did) ? undefined : { did, collection, rkey };
}

function fault(body: string): ProofFault {
  return { reason: 'bad_proof_request', status: 400, body };
}

/** What is said of each; `off` when the server keeps none at all. */
export const lackWords: Readonly<Record<ProofLack | 'off', string>> = {
  off: 'this server keeps no proofs (--proofs)',
  no_event: 'there is no such event in the log, or not any more',
  other_record: 'the event of that time is of another record',
  no_record:
    'an event of that kind is about no record, so that there is nothing to prove: no account signs it',
  expired: 'proofs of that time are not kept, or not any more',
  not_this_collection: 'proofs of that collection are not kept',
  not_kept:
    'this proof was not kept: too much came at a time, or the server was stopped hard, or its disk failed',
  incomplete: 'the commit came without all that a proof needs',
  contradicted: 'the signed tree that came with the commit has something else at that path',
  unreadable: 'what came as the commit cannot be read as one',
  too_many_events:
    'the account has written too much to look for the newest event of a record: give time_us, too',
  log_unreadable: 'the log cannot be read now',
  busy: 'too many ask for proofs now',
};
