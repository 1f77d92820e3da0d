// CRC-32C, the checksum of LevelDB's files; Node's own `crc32` is of another polynomial. Pure.

const polynomial = 0x82f63b78;
/** Bytes that are taken at a time, and tables for it. */
const sliceBytes = 8;
const maskDelta = 0xa282ead8;

/** `sliceBytes` tables of 256, one after the other: a byte's effect, and the same some bytes further on. */
const tables = makeTables();

function makeTables(): Uint32Array {
  const made = new Uint32Array(sliceBytes * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0);
    made[byte] = crc;
  }
  for (let at = 256; at < made.length; at++) made[at] = (made[at - 256] >>> 8) ^ made[made[at - 256] & 0xff];
  return made;
}

/** Of `bytes` from `start` to `end`. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const t = tables;
  let crc = 0xffffffff;
  let at = start;
  for (; at + sliceBytes <= end; at += sliceBytes) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc =
      t[1792 + (crc & 0xff)] ^
      t[1536 + ((crc >>> 8) & 0xff)] ^
      t[1280 + ((crc >>> 16) & 0xff)] ^
      t[1024 + (crc >>> 24)] ^
      t[768 + bytes[at + 4]] ^
      t[512 + bytes[at + 5]] ^
      t[256 + bytes[at + 6]] ^
      t[bytes[at + 7]];
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]) & 0xff];
  return ~crc >>> 0;
}

/** As LevelDB stores it, so that a checksum of checksums is not trivial. */
export function maskedCrc32c(bytes: Uint8Array, start: number, end: number): number {
  const crc = crc32c(bytes, start, end);
  return (((crc >>> 15) | (crc << 17)) + maskDelta) >>> 0;
}
