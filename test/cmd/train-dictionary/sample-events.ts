// Events in the shape of v1's JSON with made-up content, quick to make: for tests that need thousands.
import { createHash } from 'node:crypto';

/** Base32 of a hash, as identifiers look. */
function letters(text: string, length: number): string {
  const digest = createHash('sha512').update(text).digest();
  return Array.from({ length }, (_, at) => 'abcdefghijklmnopqrstuvwxyz234567'[digest[at] & 31]).join('');
}

/** The DID of an account. */
export function accountDid(account: number): string {
  return `did:plc:${letters(`account ${account}`, 24)}`;
}

/** The JSON of a like. */
export function likeText(at: number, account: number, timeUs = 1_780_000_000_000_000 + at): string {
  const cid = (what: string) => `bafyrei${letters(`${what} ${at}`, 52)}`;
  const createdAt = new Date(timeUs / 1000).toISOString();
  const uri = `at://${accountDid(account + 7)}/app.bsky.feed.post/3m${letters(`key ${at}`, 11)}`;
  const record = { $type: 'app.bsky.feed.like', createdAt, subject: { cid: cid('post'), uri } };
  const rev = `3m${letters(`rev ${at}`, 11)}`;
  const path = { collection: 'app.bsky.feed.like', rkey: `3m${letters(`rkey ${at}`, 11)}` };
  const commit = { rev, operation: 'create', ...path, record, cid: cid('record') };
  return JSON.stringify({ did: accountDid(account), time_us: timeUs, kind: 'commit', commit });
}
