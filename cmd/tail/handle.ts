// Handles in place of DIDs: `-d alice.example`. Whoever has the domain says which account it is, by DNS or by a file on its
// server, as https://atproto.com/specs/handle has it. Nothing else is asked, and nothing that is no domain.

import { resolveTxt } from 'node:dns/promises';
import { UsageError } from '../../lib/errors.ts';

/** How a domain is asked. */
export interface HandleSources {
  /** Texts of a name in DNS, each in its parts. */
  resolveTxt(name: string): Promise<string[][]>;
  fetch(url: string, options: { signal: AbortSignal }): Promise<Response>;
}

/** The world's. */
export const publicSources: HandleSources = { resolveTxt, fetch };

/** Both ways are asked at once, and for no longer than this. */
const askMsMax = 5_000;
/** Longest answer of a server that is looked at, in characters. */
const answerCharsMax = 2_048;
/** A domain of at least two parts, the last of which is no number. */
const handlePattern =
  /^(?=.{3,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/i;

const didPattern = /^did:[a-z]+:[a-zA-Z0-9._:%-]{1,2000}$/;

/** Whether a text is a handle, with or without `@`. */
export function isHandle(text: string): boolean {
  return handlePattern.test(text.replace(/^@/, ''));
}

/** The DID of the account with that handle. @throws UsageError `TAIL_HANDLE_UNKNOWN`. */
export async function didOfHandle(text: string, sources: HandleSources): Promise<string> {
  const handle = text.replace(/^@/, '').toLowerCase();
  const signal = AbortSignal.timeout(askMsMax);
  const late = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason)),
  );
  const ways = [didInDns(handle, sources), didOnServer(handle, sources, signal)];
  try {
    return await Promise.race([Promise.any(ways), late]);
  } catch (cause) {
    throw new UsageError(
      'TAIL_HANDLE_UNKNOWN',
      `${handle} is a handle, but neither DNS nor https://${handle}/.well-known/atproto-did says whose it is: give the DID of the account, as did:plc:…`,
      { cause },
    );
  }
}

async function didInDns(handle: string, { resolveTxt }: HandleSources): Promise<string> {
  const texts = (await resolveTxt(`_atproto.${handle}`)).map((parts) => parts.join(''));
  const dids = texts.filter((text) => text.startsWith('did=')).map((text) => text.slice('did='.length));
  // Several are no answer: so says the specification.
  return checked(dids.length === 1 ? dids[0] : '');
}

async function didOnServer(handle: string, { fetch }: HandleSources, signal: AbortSignal): Promise<string> {
  const response = await fetch(`https://${handle}/.well-known/atproto-did`, { signal });
  if (!response.ok) throw new Error(`it answers ${response.status}`);
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.length > answerCharsMax) break;
  }
  return checked(text.trim());
}

function checked(did: string): string {
  if (didPattern.test(did)) return did;
  throw new Error('it names no DID');
}
