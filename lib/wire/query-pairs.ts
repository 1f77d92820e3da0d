// A raw query string cut into names and values the way the v1 server's URL library cuts it: `+` is a space, a pair with
// a bad percent escape or a `;` is dropped without a word, order is kept. What the names mean is subscribe-query.ts.

const ampersand = 0x26;
const equals = 0x3d;
const semicolon = 0x3b;
const plus = 0x2b;
const percent = 0x25;
const space = 0x20;

/**
 * Calls `pair` for every well-formed pair, in order. `query` has no leading `?`, and one character per byte (latin1), as
 * node:http gives request targets; names and values are its decoded bytes read as UTF-8. Values are fresh strings that
 * keep nothing of `query` alive. One pass over the query, whose length the caller bounds.
 */
export function eachQueryPair(query: string, pair: (name: string, value: string) => void): void {
  const decoded = Buffer.allocUnsafe(query.length);
  let length = 0;
  let nameEnd = -1;
  let dropped = false;
  for (let at = 0; at <= query.length; at++) {
    const code = at === query.length ? ampersand : query.charCodeAt(at);
    if (code === ampersand) {
      if (!dropped && (length > 0 || nameEnd === 0)) {
        const end = nameEnd === -1 ? length : nameEnd;
        pair(decoded.toString('utf8', 0, end), decoded.toString('utf8', end, length));
      }
      length = 0;
      nameEnd = -1;
      dropped = false;
    } else if (code === equals && nameEnd === -1) {
      nameEnd = length;
    } else if (code === semicolon) {
      dropped = true;
    } else if (code === percent) {
      const byte = (hexDigit(query.charCodeAt(at + 1)) << 4) | hexDigit(query.charCodeAt(at + 2));
      if (byte < 0) {
        dropped = true;
      } else {
        decoded[length++] = byte;
        at += 2;
      }
    } else {
      decoded[length++] = code === plus ? space : code;
    }
  }
}

/** Value of a hexadecimal digit; -1 for any other code, NaN included. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
