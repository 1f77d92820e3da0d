// The page's modules for tests that run them outside of a browser: those that touch no document. They are JavaScript
// that the daemon serves as it is, so that they come without types here.

const folder = new URL('../../../lib/status/page/', import.meta.url);

// biome-ignore lint/suspicious/noExplicitAny: see above.
export function pageModule(name: string): Promise<any> {
  return import(new URL(name, folder).href);
}

/** A choice in "Try it" of everything there is. */
export const everything = {
  wire: 'v1',
  collections: [] as string[],
  dids: [] as string[],
  subjects: [] as string[],
  kinds: ['commit', 'identity', 'account'],
  operations: ['create', 'update', 'delete'],
  cursor: '',
  compress: false,
  nowMs: 1_780_000_000_000,
};
/** The same of the second wire. */
export const everythingOnV2 = { ...everything, wire: 'v2', kinds: [...everything.kinds, 'sync'] };
