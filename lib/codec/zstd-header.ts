// What the headers of a zstd frame and of its blocks say (RFC 8878, section 3.1.1), read before a library is trusted with the frame: a
// hostile peer can declare any size, and send any number of frames. It owns that reading alone; no library, no Node, so that it runs in
// browsers too.

const frameMagic = 0xfd2fb528;
/** First four bytes of a zstd dictionary, as a little-endian integer; the client checks them, too. */
export const dictionaryMagic = 0xec30a437;

/** What a zstd frame declares about itself; nothing of it is verified. */
export interface ZstdHeader {
  /** Dictionary that the zstd frame was made with; 0 when it names none. */
  readonly dictionaryId: number;
  /** Bytes of the content; undefined when it is not told. Sizes of 2^53 and more are rounded. */
  readonly contentBytes: number | undefined;
  /** Memory that decoding needs; the content itself when it is smaller. */
  readonly windowBytes: number;
  readonly hasChecksum: boolean;
}

/** Reads the header; undefined when the bytes do not start with a whole one. */
export function readZstdHeader(frame: Uint8Array): ZstdHeader | undefined {
  if (frame.length < 5) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== frameMagic) return undefined;
  const descriptor = frame[4];
  const { isSingleSegment, idAt, idBytes, sizeBytes } = fieldsOf(descriptor);
  if (frame.length < idAt + idBytes + sizeBytes) return undefined;
  const read = (start: number, bytes: number): number => {
    let value = 0;
    for (let at = start + bytes - 1; at >= start; at--) value = value * 256 + frame[at];
    return value;
  };
  const size = read(idAt + idBytes, sizeBytes);
  // Two bytes count from 256 on: smaller sizes fit into one.
  const contentBytes = sizeBytes === 0 ? undefined : sizeBytes === 2 ? size + 256 : size;
  return {
    dictionaryId: read(idAt, idBytes),
    contentBytes,
    windowBytes: isSingleSegment
      ? (contentBytes ?? 0)
      : 2 ** (10 + (frame[5] >> 3)) * (1 + (frame[5] & 7) / 8),
    hasChecksum: (descriptor & 4) !== 0,
  };
}

const blockTypes = { raw: 0, rle: 1, compressed: 2 } as const;
const blockHeaderBytes = 3;
const checksumBytes = 4;

/** Bytes of the zstd frame that the bytes begin with, by its headers; undefined when they do not have all of it. */
export function zstdFrameBytes(bytes: Uint8Array): number | undefined {
  const header = readZstdHeader(bytes);
  if (header === undefined) return undefined;
  const descriptor = bytes[4];
  const { idAt, idBytes, sizeBytes } = fieldsOf(descriptor);
  let at = idAt + idBytes + sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + blockHeaderBytes > bytes.length) return undefined;
    const block = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
    isLast = (block & 1) === 1;
    const type = (block >> 1) & 3;
    if (type > blockTypes.compressed) return undefined;
    at += blockHeaderBytes + (type === blockTypes.rle ? 1 : block >> 3);
  }
  if (header.hasChecksum) at += checksumBytes;
  return at > bytes.length ? undefined : at;
}

/** Where the fields of a header are, and how long. */
function fieldsOf(descriptor: number): {
  readonly isSingleSegment: boolean;
  readonly idAt: number;
  readonly idBytes: number;
  readonly sizeBytes: number;
} {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  return {
    isSingleSegment,
    idAt: isSingleSegment ? 5 : 6,
    idBytes: [0, 1, 2, 4][descriptor & 3],
    sizeBytes: [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6],
  };
}
