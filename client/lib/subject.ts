// What a record points at, for servers that do not know `wantedSubjects`: the client looks for itself. Pure, runs
// anywhere. The server's own reading, on bytes and before the JSON is made, is lib/event's.

const at = 'at://';

/**
 * Whether a text anywhere in `record` is one of the subjects, or a record of one that is an account. Records come from
 * strangers: without recursion, so that no nesting is too deep.
 */
export function pointsAt(record: unknown, subjects: ReadonlySet<string>): boolean {
  const waiting = [record];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string') {
      if (isReferenceTo(value, subjects)) return true;
    } else if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) waiting.push(inner);
    }
  }
  return false;
}

function isReferenceTo(text: string, subjects: ReadonlySet<string>): boolean {
  if (!text.startsWith(at)) return text.startsWith('did:') && subjects.has(text);
  // Where a query or a fragment points into is the record.
  const uri = text.replace(/[?#].*$/s, '');
  const slash = uri.indexOf('/', at.length);
  return subjects.has(uri) || subjects.has(uri.slice(at.length, slash < 0 ? undefined : slash));
}
