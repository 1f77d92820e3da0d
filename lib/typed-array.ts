// Typed arrays that grow: a new one of twice the length with the content of the old one. Bytes that are written one after
// the other have byte-writer.ts.

/** A copy of `array` with as many zeros behind its content. */
export function doubled<Numbers extends Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array>(
  array: Numbers,
): Numbers {
  const larger = new (array.constructor as new (length: number) => Numbers)(array.length * 2);
  larger.set(array);
  return larger;
}
