// The files of the page, read once and named by what is in them. They are plain files beside this one: nothing is built,
// and the package carries them as they are.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
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
]);

/** The page itself, and what it is made with, by name. */
export interface PageFiles {
  readonly index: PageFile;
  readonly assets: ReadonlyMap<string, PageFile>;
}

const indexName = 'index.html';

/** Reads them all. @throws CodedError HTTP_PAGE_MISSING when the package is incomplete. */
export function readPageFiles(folder: URL = new URL('page/', import.meta.url)): PageFiles {
  const assets = new Map<string, PageFile>();
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch {
    // Said below.
  }
  for (const name of names) {
    const contentType = contentTypes.get(extname(name));
    if (contentType === undefined) continue;
    const bytes = readFileSync(new URL(name, folder));
    const etag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    assets.set(name, { contentType, bytes, etag });
  }
  const index = assets.get(indexName);
  if (index === undefined) {
    const path = fileURLToPath(new URL(indexName, folder));
    throw new CodedError(
      'HTTP_PAGE_MISSING',
      `there is no ${path}: install the package anew, with all its files`,
    );
  }
  assets.delete(indexName);
  return { index, assets };
}
