// The page's modules for tests that run them outside of a browser: those that touch no document. They are JavaScript
// that the daemon serves as it is, so that they come without types here.

const folder = new URL('../../../lib/status/page/', import.meta.url);

// biome-ignore lint/suspicious/noExplicitAny: see above.
export function pageModule(name: string): Promise<any> {
  return import(new URL(name, folder).href);
}
