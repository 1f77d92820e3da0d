// What a server that knows nothing but RFC 6455 and docs/wire.md makes of bytes that a client sends behind its handshake: an
// independent reader, plain and slow, for comparison with what is used. Extensions are none.

/** What is in the bytes, in order, up to the end of them or of the connection. */
export interface Reading {
  readonly messages: readonly { readonly isBinary: boolean; readonly data: Buffer }[];
  readonly pings: readonly Buffer[];
  readonly end: End | undefined;
}

/** Why nothing is read any more, and the code of the close frame that goes back; undefined: one without a code. */
export interface End {
  readonly by: 'peer' | 'violation' | 'server';
  readonly code: number | undefined;
}

/** Bounds of the reader that is compared. */
export interface FrameLimits {
  readonly messageBytesMax: number;
  readonly piecesMax: number;
}

const protocolError = 1002;
const badText = 1007;
const tooLarge = 1009;
const tooManyPieces = 1008;

interface Header {
  readonly fin: boolean;
  readonly opcode: number;
  readonly length: number;
  readonly start: number;
  readonly mask: Buffer;
}

/** Reads all. @param ends what one message ends the connection with, if it does. */
export function readFrames(
  bytes: Buffer,
  { messageBytesMax, piecesMax }: FrameLimits,
  ends: (data: Buffer, isBinary: boolean) => End | undefined = () => undefined,
): Reading {
  const messages: { isBinary: boolean; data: Buffer }[] = [];
  const pings: Buffer[] = [];
  const pieces: Buffer[] = [];
  let begun = 0;
  let held = 0;
  const finish = (end: End | undefined): Reading => ({ messages, pings, end });
  const violation = (code: number): Reading => finish({ by: 'violation', code });
  for (let at = 0; ; ) {
    const header = readHeader(bytes, at, begun, messageBytesMax - held);
    if (header === undefined) return finish(undefined);
    if (typeof header === 'number') return violation(header);
    const { opcode, length, start, mask, fin } = header;
    if (bytes.length < start + length) return finish(undefined);
    at = start + length;
    const payload = Buffer.from(bytes.subarray(start, at)).map(
      (byte, index) => byte ^ mask[index % 4],
    ) as Buffer;
    if (opcode === 9) pings.push(Buffer.from(payload));
    if (opcode === 8) {
      const end = closeOf(Buffer.from(payload));
      return finish(end);
    }
    if (opcode > 8) continue;
    if (opcode > 0) begun = opcode;
    pieces.push(Buffer.from(payload));
    held += payload.length;
    if (pieces.length > piecesMax) return violation(tooManyPieces);
    if (!fin) continue;
    const data = Buffer.concat(pieces.splice(0));
    const isBinary = begun === 2;
    begun = 0;
    held = 0;
    if (!isBinary && !isText(data)) return violation(badText);
    messages.push({ isBinary, data });
    const end = ends(data, isBinary);
    if (end !== undefined) return finish(end);
  }
}

/** The header at `at`; undefined when it is not all there, a close code when it is none. @param begun opcode of an unfinished message. */
function readHeader(
  bytes: Buffer,
  at: number,
  begun: number,
  roomBytes: number,
): Header | number | undefined {
  if (bytes.length < at + 2) return undefined;
  const [first, second] = [bytes[at], bytes[at + 1]];
  const fin = first >= 0x80;
  const opcode = first & 15;
  const isControl = opcode >= 8;
  let length = second & 127;
  if ((first & 0x70) !== 0 || second < 0x80) return protocolError;
  if (![0, 1, 2, 8, 9, 10].includes(opcode)) return protocolError;
  if (isControl && (!fin || length > 125)) return protocolError;
  if (!isControl && (opcode === 0) !== (begun !== 0)) return protocolError;
  let start = at + 2;
  if (opcode === 8 && length === 1) return protocolError;
  if (length >= 126) {
    const lengthBytes = length === 126 ? 2 : 8;
    if (bytes.length < start + lengthBytes) return undefined;
    length = lengthBytes === 2 ? bytes.readUInt16BE(start) : Number(bytes.readBigUInt64BE(start));
    start += lengthBytes;
  }
  if (!isControl && length > roomBytes) return tooLarge;
  if (bytes.length < start + 4) return undefined;
  return { fin, opcode, length, start: start + 4, mask: bytes.subarray(start, start + 4) };
}

function closeOf(payload: Buffer): End {
  if (payload.length === 0) return { by: 'peer', code: undefined };
  const code = payload.readUInt16BE(0);
  const isKnown =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
  if (!isKnown) return { by: 'violation', code: protocolError };
  if (!isText(payload.subarray(2))) return { by: 'violation', code: badText };
  return { by: 'peer', code };
}

const decoder = new TextDecoder('utf-8', { fatal: true });

export function isText(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
