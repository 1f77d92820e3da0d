// The files of the page, read once and named by what is in them. They are plain files beside this one: nothing is built,
// and the package carries them as they are. With them go two of the documents, and files of others that the caller names.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../errors.ts';

/** One file. `bytes` are shared and never written to. */
export interface PageFile {
  readonly contentType: string;
  readonly bytes: Uint8Array;
  /** Strong, with its quotes. */
  readonly etag: string;
}

/** Names of files that are served, and how; others, such as this folder's own configuration, are not. */
const contentTypes: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.wasm', 'application/wasm'],
  // Browsers show it, where they would save text/markdown.
  ['.md', 'text/plain; charset=utf-8'],
]);

/** The page itself, and what it is made with, by name. */
export interface PageFiles {
  readonly index: PageFile;
  readonly assets: ReadonlyMap<string, PageFile>;
}

const indexName = 'index.html';

/** Documents that the page links to. */
const documentNames = ['wire.md', 'http.md'];

/**
 * Reads them all. @throws CodedError HTTP_PAGE_MISSING when the package is incomplete.
 * @param others further files, by the names that they are served under.
 */
export function readPageFiles(
  others: ReadonlyMap<string, URL>,
  folder: URL = new URL('page/', import.meta.url),
): PageFiles {
  const assets = new Map<string, PageFile>();
  for (const [name, url] of new Map([...filesOf(folder), ...others])) {
    const contentType = contentTypes.get(extname(name));
    if (contentType === undefined) continue;
    if (!existsSync(url)) throw missing(url);
    const bytes = readFileSync(url);
    const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    assets.set(name, { contentType, bytes, etag });
  }
  const index = assets.get(indexName);
  if (index === undefined) throw missing(new URL(indexName, folder));
  assets.delete(indexName);
  return { index, assets };
}

/** Every file of ours by the name that it is served under. */
function filesOf(folder: URL): Map<string, URL> {
  // Two levels above the sources, and three above what is built.
  const documents = ['../../docs/', '../../../docs/'].map((path) => new URL(path, import.meta.url));
  const [usual] = documents;
  const documentFolder =
    documents.find((url) => documentNames.every((name) => existsSync(new URL(name, url)))) ?? usual;
  return new Map([
    ...(existsSync(folder) ? readdirSync(folder) : []).map((name) => [name, new URL(name, folder)] as const),
    ...documentNames.map((name) => [name, new URL(name, documentFolder)] as const),
  ]);
}

function missing(url: URL): CodedError {
  return new CodedError(
    'HTTP_PAGE_MISSING',
    `there is no ${fileURLToPath(url)}: install the package anew, with all its files`,
  );
}
