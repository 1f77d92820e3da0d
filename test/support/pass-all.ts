// The filter without a condition, which tests of filters start from.

import type { Filter } from '../../lib/event/filter.ts';

/** Lets everything through. */
export const passAll: Filter = {
  collections: new Set(),
  prefixes: [],
  dids: new Set(),
  subjects: new Set(),
  maxMessageSizeBytes: 0,
  kinds: 0,
  operations: 0,
};
