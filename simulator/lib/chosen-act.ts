// What a caller can have an account of the network do, in place of what chance would, and the checks before it: a write
// that a repository cannot take is refused before a frame is made of it. The network carries it out.

import { CodedError } from '../../lib/errors.ts';
import type { SyntheticAccount } from './account.ts';
import { nsidPattern } from './collection-mix.ts';
import type { RecordValue } from './record-context.ts';
import { isRecord, recordPath } from './repo-builder.ts';

/** Why an account is not active. */
export type AccountStatus = 'deactivated' | 'takendown' | 'suspended' | 'deleted';

/** A write of a commit; a create without a key gets a TID. */
export interface ChosenWrite {
  readonly action: 'create' | 'update' | 'delete';
  readonly collection: string;
  readonly rkey?: string;
  /** Absent for a delete. */
  readonly record?: RecordValue;
}

/** One frame that a caller wants: a commit, an identity event (of another key, too) or an account event. */
export type ChosenAct =
  | { readonly kind: 'key'; readonly did: string }
  | { readonly kind: 'commit'; readonly did: string; readonly writes: readonly ChosenWrite[] }
  | { readonly kind: 'identity'; readonly did: string; readonly handle: string | undefined }
  | { readonly kind: 'account'; readonly did: string; readonly status: AccountStatus | undefined };

export function unknownAccount(did: string): CodedError {
  return new CodedError('SIMULATOR_ACCOUNT_UNKNOWN', `${did} is not an account of the network`);
}

const rkeyPattern = /^(?!\.\.?$)[a-zA-Z0-9_~.:-]{1,512}$/;

/** @throws CodedError `SIMULATOR_ACCOUNT_INACTIVE`, `SIMULATOR_WRITE_INVALID`. */
export async function checkWrites(account: SyntheticAccount, writes: readonly ChosenWrite[]): Promise<void> {
  if (!account.active) {
    const text = `${account.did} is not active: make it so before it writes`;
    throw new CodedError('SIMULATOR_ACCOUNT_INACTIVE', text);
  }
  const paths = new Set<string>();
  for (const { action, collection, rkey, record } of writes) {
    const path = recordPath(collection, rkey ?? '');
    const refuse = (why: string): never => {
      throw new CodedError('SIMULATOR_WRITE_INVALID', `cannot ${action} ${path} of ${account.did}: ${why}`);
    };
    if (!nsidPattern.test(collection)) refuse('the collection is no NSID');
    if (action !== 'delete' && !(await isRecord(record))) refuse('DAG-CBOR cannot hold the record');
    if (rkey === undefined) {
      if (action !== 'create') refuse('it needs a record key');
      continue;
    }
    if (!rkeyPattern.test(rkey)) refuse('its key has other characters than record keys have');
    if (paths.has(path)) refuse('the commit names it twice');
    if (account.repo.has(path) !== (action !== 'create')) {
      refuse(action === 'create' ? 'it exists' : 'it does not exist');
    }
    paths.add(path);
  }
}
