// What a client of the second wire may send when it has asked for that: a filter in place of the one in force, by the names of this
// wire. It is strict, because what is misspelt and ignored would bring everything. Pure.

import { isDocumentFault, readMembers } from './filter-document.ts';
import { JsonReader, stringsAt } from './json-reader.ts';
import { jsonSyntaxError } from './json-syntax.ts';
import type { ClientMessage } from './options-update.ts';
import { isV2FilterFault, tooMany, v2FilterOf, v2ListNames, v2UpdateValuesMax } from './v2-filter.ts';

/** The one type of message that there is. */
const updateType = 'options_update';

/**
 * Reads `{"type":"options_update","payload":{…}}`. The new filter replaces the one in force as a whole, its limit of sizes too.
 * Linear in the text.
 */
export function readV2Update(text: string): ClientMessage {
  const syntaxError = jsonSyntaxError(text);
  if (syntaxError !== undefined) return failure(`invalid JSON: ${syntaxError}`);
  const reader = new JsonReader(text);
  if (reader.kind() !== 'object') return failure(`a message is an object, and this is ${reader.kind()}`);
  let type: string | undefined;
  let payloadAt: number | undefined;
  for (reader.enter(); reader.more(); ) {
    const name = reader.name();
    if (name === 'type' && reader.kind() === 'string') {
      type = reader.string();
      continue;
    }
    if (name === 'payload') payloadAt = reader.at;
    reader.skip();
  }
  if (type !== updateType || payloadAt === undefined) {
    return failure(`a message has the type ${updateType}, and a filter as payload`);
  }
  const members = readMembers(new JsonReader(text, payloadAt), v2ListNames);
  if (isDocumentFault(members)) return failure(members.problem);
  const { at, counts, maxMessageSizeBytes, isVerified } = members;
  for (const name of v2ListNames) {
    const fault = tooMany(name, counts.get(name) ?? 0, v2UpdateValuesMax);
    if (fault !== undefined) return failure(fault.message);
  }
  const listOf = (name: (typeof v2ListNames)[number]): Iterable<string> => stringsAt(text, at.get(name));
  const lists = Object.fromEntries(v2ListNames.map((name) => [name, listOf(name)]));
  const filter = v2FilterOf(lists as Parameters<typeof v2FilterOf>[0], maxMessageSizeBytes, isVerified);
  return isV2FilterFault(filter) ? failure(filter.message) : { kind: 'update', filter };
}

function failure(reason: string): ClientMessage {
  return { kind: 'failure', reason };
}
