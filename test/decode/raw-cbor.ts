// CBOR by hand: every byte is the test's choice, so that input no encoder would write can be built.

/** Bytes written as hexadecimal digits; spaces are ignored. */
export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(' ', ''), 'hex');
}

/** The shortest head of an item. */
export function head(major: number, argument: number): Buffer {
  if (argument < 24) return Buffer.from([(major << 5) | argument]);
  const width = argument < 0x100 ? 1 : argument < 0x1_0000 ? 2 : argument < 0x1_0000_0000 ? 4 : 8;
  const bytes = Buffer.alloc(1 + width);
  bytes[0] = (major << 5) | { 1: 24, 2: 25, 4: 26, 8: 27 }[width]!;
  if (width === 8) bytes.writeBigUInt64BE(BigInt(argument), 1);
  else bytes.writeUIntBE(argument, 1, width);
  return bytes;
}

export const nullItem = hex('f6');
export const trueItem = hex('f5');
export const falseItem = hex('f4');

export function integer(value: number): Buffer {
  return value < 0 ? head(1, -1 - value) : head(0, value);
}

export function text(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([head(3, bytes.length), bytes]);
}

export function bytes(value: Uint8Array): Buffer {
  return Buffer.concat([head(2, value.length), value]);
}

/** A CID link: tag 42 around the binary CID with a zero byte in front. */
export function link(cid: Uint8Array): Buffer {
  return Buffer.concat([hex('d82a'), bytes(Buffer.concat([hex('00'), cid]))]);
}

export function array(...items: readonly Uint8Array[]): Buffer {
  return Buffer.concat([head(4, items.length), ...items]);
}

/** A map with text keys, in the order given. */
export function map(...entries: readonly (readonly [string | Uint8Array, Uint8Array])[]): Buffer {
  return Buffer.concat([
    head(5, entries.length),
    ...entries.flatMap(([key, value]) => [text(key), Buffer.from(value)]),
  ]);
}
