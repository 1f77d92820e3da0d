// Reads the floats of CBOR, of 2, 4 or 8 bytes. They are rare: the atproto data model has none, and v1 lets through
// only those that are integers.

const scratch = new DataView(new ArrayBuffer(8));

function readHalf(bits: number): number {
  const sign = bits >> 15 === 1 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The big-endian float that is `bytes[start, end)`. */
export function readFloat(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) scratch.setUint8(at - start, bytes[at]);
  if (end - start === 2) return readHalf(scratch.getUint16(0));
  return end - start === 4 ? scratch.getFloat32(0) : scratch.getFloat64(0);
}
