// The vocabulary of events: kinds and operations as small integers, because they are stored in block columns and
// compared per event. Their texts are the Jetstream v1 wire's. No behaviour lives here.

/** What an event is about. Stored in block indexes: numbers are never reused. */
export const eventKinds = { commit: 0, identity: 1, account: 2, sync: 3 } as const;
export type EventKind = (typeof eventKinds)[keyof typeof eventKinds];

/** What a commit event did to its record. Stored in block indexes: numbers are never reused. */
export const operations = { none: 0, create: 1, update: 2, delete: 3 } as const;
export type Operation = (typeof operations)[keyof typeof operations];

/** In a block's column beside kind and operation: only the first wire shows the event. */
const v1OnlyBit = 0x80;

/** A column's entry of a block: kind in the low four bits, operation in the three above. */
export function packKind(kind: EventKind, operation: Operation, isV1Only: boolean): number {
  return kind | (operation << 4) | (isV1Only ? v1OnlyBit : 0);
}

/** The kind in such an entry. */
export function kindIn(entry: number): number {
  return entry & 15;
}

/** The operation in it. */
export function operationIn(entry: number): number {
  return (entry >>> 4) & 7;
}

/** Whether only the first wire shows the event. */
export function isV1OnlyIn(entry: number): boolean {
  return entry >= v1OnlyBit;
}

/** Bits of the kinds that a wire shows, like `1 << eventKinds.sync`. */
export const v1Kinds = (1 << eventKinds.commit) | (1 << eventKinds.identity) | (1 << eventKinds.account);
export const v2Kinds = v1Kinds | (1 << eventKinds.sync);

/** Wire text of an operation, by its number. */
export const operationNames = ['', 'create', 'update', 'delete'] as const;
