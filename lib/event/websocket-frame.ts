// The bytes of one WebSocket message (RFC 6455 section 5.2), server side: a single frame, unmasked, final. Because no mask
// is involved they are the same for every subscriber, so a message is built once, when its event is.

import { ByteWriter } from '../byte-writer.ts';

/** First byte of a text message (FIN and opcode 1): a JSON event. */
export const textMessage = 0x81;
/** First byte of a binary message (FIN and opcode 2): a zstd frame. */
export const binaryMessage = 0x82;

/** Header room left by {@link openMessage}: the size of most headers, so that most messages are never moved. */
const roomBytes = 4;
const longestHeaderBytes = 10;

/** Header bytes in front of a payload of that many bytes. */
export function headerBytesOf(payloadBytes: number): number {
  return payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10;
}

/** Payload bytes of a whole message of that many bytes: the inverse of adding the header. */
export function payloadBytesOf(messageBytes: number): number {
  if (messageBytes < 128) return messageBytes - 2;
  return messageBytes < 65_540 ? messageBytes - 4 : messageBytes - 10;
}

/** Leaves room for a header at the end of `out`; the payload is appended next. Returns where the message starts. */
export function openMessage(out: ByteWriter): number {
  const start = out.length;
  out.reserve(longestHeaderBytes);
  out.length = start + roomBytes;
  return start;
}

/** Writes the header of the message opened at `start`, whose payload is all that `out` holds after the room. */
export function closeMessage(out: ByteWriter, start: number, firstByte: number): void {
  const payloadBytes = out.length - start - roomBytes;
  const headerBytes = headerBytesOf(payloadBytes);
  if (headerBytes !== roomBytes) {
    out.reserve(longestHeaderBytes);
    out.buffer.copyWithin(start + headerBytes, start + roomBytes, out.length);
    out.length += headerBytes - roomBytes;
  }
  writeHeader(out.buffer, start, firstByte, payloadBytes);
}

/** Writes the header of a message, at most four GiB; returns where its payload begins. */
export function writeHeader(buffer: Buffer, start: number, firstByte: number, payloadBytes: number): number {
  const headerBytes = headerBytesOf(payloadBytes);
  buffer[start] = firstByte;
  if (headerBytes === 2) {
    buffer[start + 1] = payloadBytes;
  } else if (headerBytes === 4) {
    buffer[start + 1] = 126;
    buffer[start + 2] = payloadBytes >>> 8;
    buffer[start + 3] = payloadBytes;
  } else {
    buffer[start + 1] = 127;
    buffer.writeUInt32BE(0, start + 2);
    buffer.writeUInt32BE(payloadBytes, start + 6);
  }
  return start + headerBytes;
}

/** A text message; the caller owns it. */
export function messageOf(text: string): Buffer {
  const out = new ByteWriter(256);
  const start = openMessage(out);
  out.bytes(Buffer.from(text));
  closeMessage(out, start, textMessage);
  return out.buffer.subarray(0, out.length);
}

/** Where the payload of the one WebSocket message in `bytes[start, end)` starts; 0 when it is not exactly one. */
export function payloadStartIn(bytes: Uint8Array, start: number, end: number, firstByte: number): number {
  const payloadBytes = payloadBytesOf(end - start);
  const headerBytes = headerBytesOf(payloadBytes);
  const payloadStart = start + headerBytes;
  if (payloadBytes < 0 || payloadStart + payloadBytes !== end || bytes[start] !== firstByte) return 0;
  const length = bytes[start + 1];
  if (headerBytes === 2) return length === payloadBytes ? payloadStart : 0;
  if (length !== (headerBytes === 4 ? 126 : 127)) return 0;
  let declared = 0;
  for (let at = start + 2; at < payloadStart; at++) declared = declared * 256 + bytes[at];
  return declared === payloadBytes ? payloadStart : 0;
}
