// What the PLC directory, and the hosts of did:web accounts, tell of an account: its DID document, its operations, and lines of an
// export. The operations are signed by nobody, and DIDs are not made of them: whoever checks that needs the real directory. Pure.

import { createHash } from 'node:crypto';
import type { AccountRecord } from './account-register.ts';

const host = 'https://pds.sim.test';

/** The DID document of now. */
export function didDocument({ did, handle, keys }: AccountRecord): Record<string, unknown> {
  const publicKeyMultibase = keys[keys.length - 1].key.slice('did:key:'.length);
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    alsoKnownAs: [`at://${handle}`],
    verificationMethod: [{ id: `${did}#atproto`, type: 'Multikey', controller: did, publicKeyMultibase }],
    service: [{ id: '#atproto_pds', type: 'AtprotoPersonalDataServer', serviceEndpoint: host }],
  };
}

/** An operation of an account, as its audit log and the export have it. */
export interface PlcEntry {
  readonly did: string;
  readonly operation: Readonly<Record<string, unknown>>;
  readonly cid: string;
  readonly nullified: boolean;
  readonly createdAt: string;
}

/** The same in the newer form of the export, which numbers operations. */
export interface SequencedOperation extends Omit<PlcEntry, 'nullified'> {
  readonly type: 'sequenced_op';
  readonly seq: number;
}

/** The account's operation number `at`, from 0 on, under that number of the directory's. */
export function sequencedOperation(record: AccountRecord, at: number, seq: number): SequencedOperation {
  const { did, operation, cid, createdAt } = plcEntries(record)[at];
  return { type: 'sequenced_op', operation, did, cid, createdAt, seq };
}

/** The account's operations, one for each key that it has had, oldest first. */
export function plcEntries({ did, handle, keys }: AccountRecord): PlcEntry[] {
  let prev: string | null = null;
  return keys.map(({ key, fromMs }) => {
    const operation = {
      type: 'plc_operation',
      rotationKeys: [keys[0].key],
      verificationMethods: { atproto: key },
      alsoKnownAs: [`at://${handle}`],
      services: { atproto_pds: { type: 'AtprotoPersonalDataServer', endpoint: host } },
      prev,
      sig: '',
    };
    // Looks like a CID, and is one of nothing.
    const cid = `bafyrei${createHash('sha256')
      .update(`${did} ${fromMs}`)
      .digest('hex')
      .replace(/[0189]/g, 'a')
      .slice(0, 52)}`;
    prev = cid;
    return { did, operation, cid, nullified: false, createdAt: new Date(fromMs).toISOString() };
  });
}
