// The rules of docs/architecture.md that a machine can check.

import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const lib = join(root, 'lib');
const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const sources = new Map(files.map((name) => [name, readFileSync(join(lib, name), 'utf8')]));

/** What a source imports, types included: paths within lib, and names of packages. */
function importsOf(name: string): { files: string[]; packages: string[] } {
  const texts = [...(sources.get(name) as string).matchAll(/^(?:import|export) [^;]*?from '([^']+)'/gms)].map(
    (match) => match[1],
  );
  const dynamic = [
    ...(sources.get(name) as string).matchAll(/(?:import|require|load|resolve)\w*\('([^']+)'\)/g),
  ].map((match) => match[1]);
  const all = [...texts, ...dynamic];
  const packages = all
    .filter((text) => !text.startsWith('.') && !text.startsWith('node:'))
    .map((text) =>
      text
        .split('/')
        .slice(0, text.startsWith('@') ? 2 : 1)
        .join('/'),
    );
  return {
    files: all
      .filter((text) => text.startsWith('.'))
      .map((text) => relative(lib, resolve(lib, dirname(name), text))),
    packages: packages.filter((text) => !builtinModules.includes(text)),
  };
}

test('a third-party package is imported by one file, and listed with it in docs/architecture.md', () => {
  const importers = new Map<string, string[]>();
  for (const name of files) {
    for (const used of new Set(importsOf(name).packages))
      importers.set(used, [...(importers.get(used) ?? []), name]);
  }
  expect([...importers].filter(([, names]) => names.length > 1)).toEqual([]);
  const document = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  for (const used of importers.keys()) expect(document).toContain(`\`${used}\``);
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const used of Object.keys({ ...dependencies, ...optionalDependencies }))
    expect([...importers.keys()]).toContain(used);
});

test('stages depend in one direction', () => {
  const edges = new Map<string, Set<string>>();
  for (const name of files) {
    const from = dirname(name);
    for (const to of importsOf(name).files.map((path) => dirname(path))) {
      if (to !== from) edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
  }
  const cycles: string[][] = [];
  const visit = (folder: string, path: readonly string[]): void => {
    if (path.includes(folder)) cycles.push([...path.slice(path.indexOf(folder)), folder]);
    else for (const next of edges.get(folder) ?? []) visit(next, [...path, folder]);
  };
  for (const folder of edges.keys()) visit(folder, []);
  expect(cycles).toEqual([]);
});

test('lib runs as it is on the oldest Node of package.json, which knows no `using`', () => {
  for (const [name, text] of sources) expect(text, name).not.toMatch(/^\s*(?:await )?using \w+ =/m);
});

test('every file opens with what it owns, and none is a grab bag', () => {
  for (const [name, text] of sources) {
    expect(text, name).toMatch(/^\/\/ .{20,}/);
    expect(name).not.toMatch(/utils|helpers|common|misc|manager|types\.ts/i);
  }
});
