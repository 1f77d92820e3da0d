// The vocabulary of events: kinds and operations as small integers, because they are stored in block columns and
// compared per event. Their texts are the Jetstream v1 wire's. No behaviour lives here.

/** What an event is about. Stored in block indexes: numbers are never reused. */
export const eventKinds = { commit: 0, identity: 1, account: 2 } as const;
export type EventKind = (typeof eventKinds)[keyof typeof eventKinds];

/** What a commit event did to its record. Stored in block indexes: numbers are never reused. */
export const operations = { none: 0, create: 1, update: 2, delete: 3 } as const;
export type Operation = (typeof operations)[keyof typeof operations];

/** Wire text of an operation, by its number. */
export const operationNames = ['', 'create', 'update', 'delete'] as const;
