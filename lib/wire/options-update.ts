// What a client's text message asks for (wire-v1 section 6). Pure: the text and the filter in force to a new filter, to
// nothing, or to the reason of the close frame that ends the connection. The words of the reasons, type names included,
// are what the v1 server sends.

import { isInt64 } from '../event/cursor.ts';
import type { Filter } from '../event/filter.ts';
import { JsonReader, stringsAt } from './json-reader.ts';
import { jsonSyntaxError } from './json-syntax.ts';
import {
  didsMax,
  eachWanted,
  filterOf,
  isFilterFault,
  limitName,
  messageSizeLimit,
  v1KindWords,
  verifiedName,
  type WantedName,
  wantedNames,
} from './wanted-filter.ts';

/** What to do about a client's message. */
export type ClientMessage =
  /** Replaces the filter in force. */
  | { readonly kind: 'update'; readonly filter: Filter }
  /** An unknown type, or none. */
  | { readonly kind: 'ignored' }
  /** Ends the connection with an application error. `reason` may be longer than a close frame holds. */
  | { readonly kind: 'failure'; readonly reason: string };

const ignored: ClientMessage = { kind: 'ignored' };

/**
 * Reads a text message. A new filter replaces the one in force as a whole, except for the size limit, which stays when
 * the message does not name it: that is what v1 clients know, whose limit no message has ever changed. Linear in the text.
 * @param currentLimitBytes `maxMessageSizeBytes` of the filter in force.
 */
export function readClientMessage(text: string, currentLimitBytes: number): ClientMessage {
  const envelope = readEnvelope(text);
  if ('error' in envelope) {
    return failure(`failed to unmarshal subscriber sourced message: ${envelope.error}`);
  }
  if (envelope.type !== 'options_update') return ignored;
  const options = readOptions(text, envelope.payloadAt);
  if ('error' in options) return failure(`failed to unmarshal subscriber options update: ${options.error}`);
  const { at, limit, isVerified } = options;
  const maxMessageSizeBytes = limit === undefined ? currentLimitBytes : messageSizeLimit(limit);
  const filter = filterOf(
    { ...eachWanted((name) => stringsAt(text, at[name])), maxMessageSizeBytes, isVerified },
    didsMax,
    v1KindWords,
  );
  if (isFilterFault(filter)) return failure(`failed to parse subscriber options: ${filter.text}`);
  return { kind: 'update', filter };
}

function failure(reason: string): ClientMessage {
  return { kind: 'failure', reason };
}

/** A message, or the first thing wrong with it. Positions are of values in the text. */
type Envelope =
  | { readonly type: string; readonly payloadAt: number | undefined }
  | { readonly error: string };

const envelopeType = 'SubscriberSourcedMessage';
// Names match whatever their case, by Unicode's simple folding, as on the v1 server.
const typeName = /^type$/iu;
const payloadName = /^payload$/iu;

function readEnvelope(text: string): Envelope {
  const syntaxError = jsonSyntaxError(text);
  if (syntaxError !== undefined) return { error: syntaxError };
  const reader = new JsonReader(text);
  let type = '';
  let payloadAt: number | undefined;
  let error: string | undefined;
  const kind = reader.kind();
  if (kind === 'null') return { type, payloadAt };
  if (kind !== 'object') return { error: valueMismatch(kind, envelopeType) };
  for (reader.enter(); reader.more(); ) {
    const name = reader.name();
    if (payloadName.test(name)) payloadAt = reader.at;
    if (!typeName.test(name)) {
      reader.skip();
      continue;
    }
    const valueKind = reader.kind();
    if (valueKind === 'string') {
      type = reader.string();
      continue;
    }
    if (valueKind !== 'null') error ??= fieldMismatch(valueKind, `${envelopeType}.type`, 'string');
    reader.skip();
  }
  return error === undefined ? { type, payloadAt } : { error };
}

const optionsType = 'SubscriberOptionsUpdatePayload';
const arrayPatterns = wantedNames.map((name) => [name, new RegExp(`^${name}$`, 'iu')] as const);
const limitPattern = new RegExp(`^${limitName}$`, 'iu');
const verifiedPattern = new RegExp(`^${verifiedName}$`, 'iu');

/** Where the arrays of an update are, its limit, and whether it asks for what is verified, or the first thing wrong; what is absent or null is undefined. */
type Options =
  | {
      readonly at: { readonly [Name in WantedName]?: number | undefined };
      readonly limit: string | undefined;
      readonly isVerified: boolean;
    }
  | { readonly error: string };

function readOptions(text: string, payloadAt: number | undefined): Options {
  if (payloadAt === undefined) return { error: 'unexpected end of JSON input' };
  const reader = new JsonReader(text, payloadAt);
  const at: { [Name in WantedName]?: number | undefined } = {};
  let limit: string | undefined;
  let isVerified = false;
  let error: string | undefined;
  const kind = reader.kind();
  if (kind === 'null') return { at, limit, isVerified };
  if (kind !== 'object') return { error: valueMismatch(kind, optionsType) };
  for (reader.enter(); reader.more(); ) {
    const name = reader.name();
    const valueAt = reader.kind() === 'null' ? undefined : reader.at;
    const array = arrayPatterns.find(([, pattern]) => pattern.test(name))?.[0];
    if (array !== undefined) {
      at[array] = valueAt;
      error ??= stringsMismatch(text, reader, `${optionsType}.${array}`);
    } else if (limitPattern.test(name) && valueAt !== undefined) {
      const valueKind = reader.kind();
      const spelling = valueKind === 'number' ? reader.spelling() : undefined;
      if (spelling !== undefined && isInt64(spelling)) limit = spelling;
      else error ??= fieldMismatch(numberShown(valueKind, spelling), `${optionsType}.${limitName}`, 'int');
      if (spelling !== undefined) continue;
    } else if (verifiedPattern.test(name) && valueAt !== undefined) {
      const valueKind = reader.kind();
      if (valueKind === 'bool') {
        isVerified = reader.spelling() === 'true';
        continue;
      }
      error ??= fieldMismatch(valueKind, `${optionsType}.${verifiedName}`, 'bool');
    }
    reader.skip();
  }
  return error === undefined ? { at, limit, isVerified } : { error };
}

function numberShown(kind: string, spelling: string | undefined): string {
  return spelling === undefined ? kind : `number ${spelling}`;
}

/** What is wrong with the value that `next` is at, as an array of strings, nulls allowed. Does not move `next`. */
function stringsMismatch(text: string, next: JsonReader, field: string): string | undefined {
  const kind = next.kind();
  if (kind === 'null') return undefined;
  if (kind !== 'array') return fieldMismatch(kind, field, '[]string');
  const reader = new JsonReader(text, next.at);
  for (reader.enter(); reader.more(); reader.skip()) {
    const elementKind = reader.kind();
    if (elementKind !== 'string' && elementKind !== 'null')
      return fieldMismatch(elementKind, field, 'string');
  }
  return undefined;
}

function valueMismatch(kind: string, type: string): string {
  return `json: cannot unmarshal ${kind} into Go value of type server.${type}`;
}

function fieldMismatch(kind: string, field: string, type: string): string {
  return `json: cannot unmarshal ${kind} into Go struct field ${field} of type ${type}`;
}
