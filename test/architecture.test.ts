// The rules of docs/architecture.md that a machine can check: which room may know which, no circles, sizes, one importer of
// each package, file names in comments. Read from the syntax tree of every source that is ours.

import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, dirname, join, normalize, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ofProcess, sharing } from './processes.ts';
import { readSource, type Source } from './support/source.ts';

const root = resolve(import.meta.dirname, '..');
const shipped = ['lib', 'cmd', 'client/lib', 'simulator/lib', 'simulator/cmd'];
const others = ['test', 'bench', 'client/test', 'simulator/test'];
const sources = new Map(shipped.flatMap(filesIn).map((path) => [path, readSource(join(root, path))]));
const otherSources = new Map(others.flatMap(filesIn).map((path) => [path, readSource(join(root, path))]));

/**
 * Who may import whom, in the order of the picture: each row knows rows above it, so that there is no circle. `leaves` are the
 * files of lib that are in no folder.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  leaves: [],
  'lib/upstream': ['leaves'],
  'lib/decode': ['leaves'],
  'lib/event': ['leaves', 'lib/decode'],
  'lib/verify': ['leaves', 'lib/decode', 'lib/event'],
  'lib/codec': ['leaves'],
  'lib/level': ['leaves'],
  'lib/log': ['leaves', 'lib/event', 'lib/level'],
  'lib/identity': ['leaves', 'lib/level', 'lib/verify'],
  'lib/proofs': ['leaves', 'lib/decode', 'lib/event', 'lib/level', 'lib/log', 'lib/verify'],
  'lib/verifier': ['leaves', 'lib/decode', 'lib/event', 'lib/level', 'lib/verify', 'lib/identity'],
  'lib/cluster': ['leaves', 'lib/event', 'lib/level', 'lib/log'],
  'lib/ingest': ['leaves', 'lib/upstream', 'lib/decode', 'lib/event', 'lib/log'],
  'lib/fanout': ['leaves', 'lib/event', 'lib/log'],
  'lib/wire': ['leaves', 'lib/event', 'lib/log', 'lib/proofs', 'lib/fanout'],
  'lib/session': ['leaves', 'lib/event', 'lib/fanout', 'lib/wire'],
  'lib/http': ['leaves', 'lib/event', 'lib/proofs', 'lib/fanout', 'lib/wire', 'lib/session'],
  'lib/config': ['leaves', 'lib/codec'],
  'lib/status': ['leaves', 'lib/http'],
  'lib/worker': [
    ...[
      'leaves',
      'lib/event',
      'lib/codec',
      'lib/log',
      'lib/proofs',
      'lib/fanout',
      'lib/http',
      'lib/config',
      'lib/status',
    ],
  ],
  'lib/monitor': [
    ...['leaves', 'lib/upstream', 'lib/decode', 'lib/event', 'lib/codec', 'lib/log', 'lib/cluster'],
    ...['lib/proofs', 'lib/ingest', 'lib/http', 'lib/status', 'lib/worker'],
  ],
  'lib/service': [
    ...[
      'leaves',
      'lib/upstream',
      'lib/event',
      'lib/codec',
      'lib/level',
      'lib/log',
      'lib/proofs',
      'lib/cluster',
      'lib/ingest',
      'lib/fanout',
    ],
    ...['lib/verifier', 'lib/session', 'lib/config', 'lib/worker', 'lib/monitor'],
  ],
  'client/lib': ['leaves', 'lib/event', 'lib/codec'],
  'simulator/lib': ['leaves', 'lib/event'],
  'simulator/cmd': ['leaves', 'simulator/lib'],
  'cmd/command': ['leaves', 'lib/event', 'lib/config'],
  'cmd/tail': ['leaves', 'lib/config', 'client/lib', 'cmd/command'],
  'cmd/demo': ['leaves', 'client/lib', 'cmd/command', 'cmd/tail'],
  'cmd/dictionaries': ['leaves', 'lib/codec'],
  'cmd/inspect': ['leaves', 'lib/event', 'lib/codec', 'lib/level', 'lib/log', 'cmd/command'],
  'cmd/train-dictionary': ['leaves', 'lib/codec', 'client/lib'],
  'cmd/verify': ['leaves', 'lib/decode', 'lib/event', 'lib/verify', 'lib/identity'],
  cmd: [
    ...['leaves', 'lib/codec', 'lib/config', 'lib/service', 'cmd/command', 'cmd/tail', 'cmd/demo'],
    ...['cmd/dictionaries', 'cmd/inspect', 'cmd/train-dictionary', 'cmd/verify'],
  ],
};

/** All that a package for other people may take of the daemon: files that need nothing else of it. */
const borrowed: Readonly<Record<string, readonly string[]>> = {
  client: [
    ...['lib/backoff.ts', 'lib/errors.ts', 'lib/near-name.ts', 'lib/codec/wasm-module.ts'],
    ...['lib/codec/zstd-header.ts', 'lib/decode/rfc3339.ts', 'lib/event/cursor.ts', 'lib/event/moment.ts'],
    'lib/text.ts',
  ],
  simulator: ['lib/errors.ts', 'lib/event/tid.ts', 'lib/seeded-random.ts', 'lib/websocket.ts'],
};

/** Beyond these a file or function has to be split, or to stand in `large` with the reason. */
const fileLinesMax = 350;
const functionLinesMax = 70;
const large: Readonly<Record<string, string>> = {
  'lib/monitor/subscriber-metrics.ts subscriberMetrics': 'a table, a row a metric',
  'lib/monitor/v1-metrics.ts v1Metrics': 'a table, a row a metric',
};

describe('rooms', () => {
  test('a folder imports only from folders above it in the table', () => {
    const order = Object.keys(rooms);
    for (const [name, allowed] of Object.entries(rooms)) {
      for (const other of allowed)
        expect(order.indexOf(other), `${name}: ${other}`).toBeLessThan(order.indexOf(name));
    }
    const wrong: string[] = [];
    const used = new Map(order.map((name) => [name, new Set<string>()]));
    for (const [path, to] of fileImports()) {
      const [from, target] = [roomOf(path), roomOf(to)];
      if (from === target) continue;
      used.get(from)?.add(target);
      if (!rooms[from]?.includes(target)) wrong.push(`${path} imports ${to}`);
    }
    expect(wrong).toEqual([]);
    // What nobody uses any more goes from the table.
    for (const [name, allowed] of Object.entries(rooms)) {
      expect([...(used.get(name) as Set<string>)].sort(), name).toEqual([...allowed].sort());
    }
  });

  test('no file imports itself by way of others, types included', () => {
    const edges = new Map<string, string[]>();
    for (const [from, to] of fileImports()) edges.set(from, [...(edges.get(from) ?? []), to]);
    const done = new Set<string>();
    const visit = (path: string, trail: readonly string[]): void => {
      expect(trail, [...trail, path].join(' -> ')).not.toContain(path);
      if (done.has(path)) return;
      for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of edges.keys()) visit(path, []);
  });

  test.each(Object.entries(borrowed))('the %s takes only leaves of the daemon', (name, files) => {
    const found = new Set<string>();
    const visit = (path: string): void => {
      for (const [from, to] of fileImports()) {
        if (from !== path || found.has(to) || to.startsWith(`${name}/`)) continue;
        found.add(to);
        visit(to);
      }
    };
    for (const path of sources.keys()) if (path.startsWith(`${name}/`)) visit(path);
    expect([...found].sort()).toEqual([...files].sort());
  });
});

describe('packages', () => {
  const manifests = ['', 'client', 'simulator'].map((folder) => ({
    folder,
    ...(JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      peerDependencies?: Record<string, string>;
    }),
  }));
  const importers = new Map<string, string[]>();
  for (const [path, { packages }] of sources) {
    for (const name of new Set(packages)) importers.set(name, [...(importers.get(name) ?? []), path]);
  }

  test('each has one importing file in each of our packages, and a reason in docs/architecture.md', () => {
    const document = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    for (const [name, paths] of importers) {
      expect(document.includes(`\`${name}\``), name).toBe(true);
      for (const area of ['lib/', 'cmd/', 'client/', 'simulator/']) {
        expect(paths.filter((path) => path.startsWith(area)).length, `${name}: ${paths}`).toBeLessThanOrEqual(
          1,
        );
      }
      expect(paths.filter((path) => /^(lib|cmd)\//.test(path)).length, name).toBeLessThanOrEqual(1);
      for (const path of paths) expect(document.includes(path), `${name}: ${path}`).toBe(true);
    }
  });

  test('what is imported is declared, and what is declared is imported', () => {
    for (const { folder, dependencies, peerDependencies } of manifests) {
      const reached = reachedFrom(folder);
      const needed = [...importers].filter(([, paths]) => paths.some((path) => reached.has(path)));
      const declared = Object.keys({ ...dependencies, ...peerDependencies });
      expect(declared.sort(), folder).toEqual(needed.map(([name]) => name).sort());
    }
  });

  test('ws is pinned: what lib/session reads of its inside is checked for that version', () => {
    for (const { dependencies } of manifests) {
      if (dependencies.ws !== undefined) expect(dependencies.ws).toMatch(/^\d+\.\d+\.\d+$/);
    }
  });
});

describe('files', () => {
  test('each opens with what it owns, and none is a grab bag', () => {
    for (const [path, { text }] of sources) {
      expect(text.replace(/^#!.*\n/, ''), path).toMatch(/^\/\/ .{20,}/);
      expect(path).not.toMatch(/utils|helpers|common|misc|manager|types\.ts/i);
    }
  });

  test(`none has more than ${fileLinesMax} lines, no function more than ${functionLinesMax}`, () => {
    const found: string[] = [];
    for (const [path, { lines, functions }] of sources) {
      if (lines > fileLinesMax) found.push(path);
      for (const one of functions) if (one.lines > functionLinesMax) found.push(`${path} ${one.name}`);
    }
    expect(found.sort()).toEqual(Object.keys(large).sort());
  });

  test('files that comments name exist', () => {
    const known = new Set([...sources.keys(), ...otherSources.keys()]);
    const names = new Set([...known].map((path) => basename(path)));
    const absent: string[] = [];
    for (const [path, { comments }] of [...sources, ...otherSources]) {
      for (const [name] of comments.join('\n').matchAll(/(?<![\w*./-])[\w./-]*[\w-]\.ts(?!\w)/g)) {
        const isThere = name.includes('/')
          ? [root, join(root, dirname(path)), join(root, 'lib')].some((from) => existsSync(join(from, name)))
          : names.has(name);
        if (!isThere) absent.push(`${path}: ${name}`);
      }
    }
    expect(absent).toEqual([]);
  });

  test('files that the documents name exist', () => {
    const names = new Set([...sources.keys(), ...otherSources.keys()].map((path) => basename(path)));
    const documents = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
    const absent: string[] = [];
    for (const document of ['README.md', 'CONTRIBUTING.md', ...documents.map((name) => `docs/${name}`)]) {
      const text = readFileSync(join(root, document), 'utf8');
      for (const [, name] of text.matchAll(/`((?:[\w-]+\/)*[\w-]+(?:\.[\w-]+)*\.ts)`/g)) {
        const isThere = name.includes('/')
          ? ['', 'lib', 'test'].some((from) => existsSync(join(root, from, name)))
          : names.has(name);
        if (!isThere) absent.push(`${document}: ${name}`);
      }
    }
    expect(absent).toEqual([]);
  });

  test('folders that comments name exist', () => {
    const absent: string[] = [];
    for (const [path, { comments }] of [...sources, ...otherSources]) {
      for (const [, name] of comments
        .join('\n')
        .matchAll(/(?<![\w/.-])((?:lib|cmd|client|simulator)\/[a-z-]+)(?![\w./-])/g)) {
        if (!existsSync(join(root, name))) absent.push(`${path}: ${name}`);
      }
    }
    expect(absent).toEqual([]);
  });

  test('what is shipped runs as it is on the oldest Node of package.json, which knows no `using`', () => {
    for (const [path, { text }] of sources) {
      expect(text, path).not.toMatch(/^\s*(?:await )?using \w+ =/m);
    }
  });

  test('a test is where its subject is', () => {
    const subjects = [...sources.keys()].map((path) => dirname(path).replace(/^lib(?=\/|$)/, ''));
    const places = new Set([
      ...subjects.map((folder) => (folder.startsWith('cmd') ? `/${folder}` : folder)),
      '',
    ]);
    const others = ['/bin', '/clients', '/crash', '/deploy', '/status/page', '/support'];
    const misplaced = [...otherSources.keys()]
      .filter((path) => /^test\/.*\.test\.ts$/.test(path))
      .map((path) => dirname(path).replace(/^test/, ''))
      .filter((folder) => !places.has(folder) && !others.includes(folder));
    expect([...new Set(misplaced)]).toEqual([]);
  });
});

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
    .map((name) => `${folder}/${name}`);
}

/** The row of {@link rooms} that a file belongs to. */
function roomOf(path: string): string {
  const folder = dirname(path);
  return folder === 'lib' ? 'leaves' : folder;
}

/** Every import of one of our files by another, in what is shipped. */
function* fileImports(): Generator<[from: string, to: string]> {
  for (const [path, { files }] of sources) {
    for (const name of files) {
      const to = normalize(join(dirname(path), name));
      if (to.endsWith('.ts')) yield [path, to];
    }
  }
}

/** The files that a package of ours brings: its own, and what these import. */
function reachedFrom(folder: string): ReadonlySet<string> {
  const edges = new Map<string, string[]>();
  for (const [from, to] of fileImports()) edges.set(from, [...(edges.get(from) ?? []), to]);
  const isOwn = (path: string): boolean =>
    folder === '' ? /^(lib|cmd)\//.test(path) : path.startsWith(`${folder}/`);
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const next of edges.get(path) ?? []) visit(next);
  };
  for (const path of sources.keys()) if (isOwn(path)) visit(path);
  return reached;
}

test('tests that share a process leave it as it is', () => {
  const shared = globSync([...sharing], { cwd: root });
  expect(shared.length).toBeGreaterThan(100);
  for (const path of shared) expect(readFileSync(join(root, path), 'utf8'), path).not.toMatch(ofProcess);
});

test('the reader of sources sees what it is to see', () => {
  const source: Source = readSource(join(root, 'test/architecture.test.ts'));
  expect(source.packages).toContain('vitest');
  expect(source.files).toContain('./support/source.ts');
  expect(source.packages.some((name) => builtinModules.includes(name))).toBe(false);
  expect(source.functions.find(({ name }) => name === 'reachedFrom')?.lines).toBeGreaterThan(10);
  expect(source.comments.join('\n')).toContain('The rules of docs/architecture.md');
});
