// Typed arrays that grow: one rule, doubling, for every column and scratch array of the hot paths. It owns the copy; when
// an array is full is its owner's to know. Bytes that are written one after the other are byte-writer.ts.

type TypedArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

/** An array of the same kind and of `length` entries, twice as many by default, that starts with those of `array`. */
export function grow<T extends TypedArray>(array: T, length: number = array.length * 2): T {
  const grown = new (array.constructor as new (length: number) => T)(length);
  grown.set(array);
  return grown;
}
