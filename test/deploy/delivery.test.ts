// The container, the compose file, the systemd unit and what is written about moving from Jetstream v1, held against the
// settings and files that exist.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Setting } from '../../lib/config/setting.ts';
import { settingNames, settings } from '../../lib/config/settings.ts';
import { readConfig } from '../support/config.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const table: readonly [string, Setting][] = settingNames.map((name) => [name, settings[name]]);
const flags = new Set(table.flatMap(([name, { aliases = [] }]) => [name, ...aliases]));
const variables = new Set(table.flatMap(([, { env }]) => env));

/** Flags and variables of ours that a text names. */
function unknownIn(text: string): string[] {
  const named = [
    ...[...text.matchAll(/(?<![\w-])--([a-z][a-z-]*[a-z])\b/g)].filter(([, flag]) => !flags.has(flag)),
    ...[...text.matchAll(/\b((?:SLIPSTREAM|JETSTREAM)_[A-Z_]*[A-Z])\b/g)].filter(
      ([, name]) => !variables.has(name),
    ),
  ];
  return named.map(([whole]) => whole);
}

/** The text of one service of the compose file. */
function service(name: string): string {
  const text = read('deploy/compose.yaml');
  const found = new RegExp(`\\n {2}${name}:\\n((?: {4}.*\\n|\\n)+)`).exec(text)?.[1];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
}

/** Entries of a list of the compose file or of a service. */
function entries(text: string, key: string): string[] {
  const list = new RegExp(`(?:^|\\n) {4}${key}:\\n((?: {6}- .*\\n)+)`).exec(text)?.[1] ?? '';
  return [...list.matchAll(/^ {6}- (.*)$/gm)].map(([, entry]) => entry.replace(/^"(.*)"$/, '$1'));
}

const publicPort = settings['listen-addr'].default.slice(1);
const metricsPort = settings['metrics-listen-addr'].default.slice(1);

describe('the Dockerfile', () => {
  const text = read('Dockerfile');
  const lines = text.replaceAll('\\\n', ' ').split('\n');
  const final = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const instruction = (name: string): string[] =>
    final.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1).trim());

  test('copies only what there is, and what .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = lines
      .filter((line) => /^COPY (?!--from)/.test(line))
      .flatMap((line) => line.split(' ').slice(1, -1));
    for (const path of copied) expect(existsSync(join(root, path)), path).toBe(true);
    expect(new Set(copied)).toEqual(new Set(allowed));
  });

  test('starts the command of the package, as no privileged user, and is told to stop itself', () => {
    const { bin, files } = JSON.parse(read('package.json'));
    expect(JSON.parse(instruction('ENTRYPOINT')[0])).toEqual(['node', bin.slipstream]);
    expect(instruction('USER')).toEqual(['node']);
    expect(instruction('STOPSIGNAL')).toEqual(['SIGTERM']);
    // Documents are for who reads the package; of an image the daemon serves two.
    const run = files.filter((name: string) => !/^(docs|deploy)$|\.md$/.test(name));
    for (const name of [...run, 'docs/http.md', 'docs/wire.md'])
      expect(final.join('\n')).toMatch(new RegExp(`^COPY .*\\b${name}$`, 'm'));
    expect(final.findIndex((line) => line.startsWith('USER'))).toBeLessThan(
      final.findIndex((line) => line.startsWith('ENTRYPOINT')),
    );
  });

  test('shows the ports of the defaults, and sets what the settings know', () => {
    expect(instruction('EXPOSE')).toEqual([`${publicPort} ${metricsPort}`]);
    expect(instruction('VOLUME')).toEqual(['/data']);
    expect(text).toContain('SLIPSTREAM_DATA_DIR=/data');
    expect(
      unknownIn(
        text.replace(
          /--(from|omit|workspaces|ignore-scripts|no-audit|no-fund|directory|owner|group|interval|timeout|start-period|retries)\b/g,
          '',
        ),
      ),
    ).toEqual([]);
  });

  test('asks for health where the metrics listener is', () => {
    const [, command] = / CMD (\[.*\])$/.exec(instruction('HEALTHCHECK')[0]) ?? [];
    const [node, option, script] = JSON.parse(command) as string[];
    expect([node, option]).toEqual(['node', '-e']);
    expect(script).toContain(`'${settings['metrics-listen-addr'].default}'`);
    expect(script).toContain('/health/live');
    // Nobody listens at port 1.
    const env = { ...process.env, SLIPSTREAM_METRICS_LISTEN_ADDR: '127.0.0.1:1' };
    expect(() => execFileSync(process.execPath, ['-e', script], { env, stdio: 'ignore' })).toThrow();
  });
});

describe('the compose file', () => {
  const daemon = service('slipstream');

  test('gives the daemon settings that it takes', () => {
    const command = entries(daemon, 'command');
    expect(command.length).toBeGreaterThan(0);
    expect(readConfig(command, {}).notices).toEqual([]);
    expect(unknownIn(daemon)).toEqual([]);
    expect(entries(daemon, 'ports')).toEqual([`${publicPort}:${publicPort}`]);
  });

  test('mounts files that exist, and volumes that are declared', () => {
    const declared = /\nvolumes:\n((?: {2}.*\n)+)/.exec(read('deploy/compose.yaml'))?.[1] ?? '';
    for (const name of ['slipstream', 'prometheus', 'grafana']) {
      const volumes = entries(service(name), 'volumes');
      expect(volumes.length).toBeGreaterThan(0);
      for (const volume of volumes) {
        const [from] = volume.split(':');
        if (from.startsWith('.')) expect(existsSync(join(root, 'deploy', from)), from).toBe(true);
        else expect(declared).toContain(`  ${from}:\n`);
      }
    }
  });

  test('bounds every service, and starts it again', () => {
    for (const name of ['slipstream', 'prometheus', 'grafana']) {
      expect(service(name)).toMatch(/\n {4}mem_limit: \d+[mg]\n/);
      // Docker refuses more cores than the machine has.
      expect(service(name)).not.toMatch(/\n {4}cpus:/);
      expect(service(name)).toContain('restart: unless-stopped');
    }
    expect(daemon).toContain('no-new-privileges:true');
    expect(daemon).toMatch(/cap_drop:\n {6}- ALL/);
  });

  test('gets the dictionary of v1 into the data of the daemon first, and starts without it all the same', () => {
    const dictionary = service('dictionary');
    expect(entries(dictionary, 'command')).toEqual(['dictionaries', 'fetch', '--if-possible']);
    expect(entries(dictionary, 'volumes')).toEqual(entries(daemon, 'volumes'));
    expect(daemon).toMatch(/depends_on:\n {6}dictionary:\n {8}condition: service_completed_successfully/);
  });

  test("shows operators' ports to this machine only", () => {
    for (const name of ['prometheus', 'grafana']) {
      for (const port of entries(service(name), 'ports')) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    expect(read('deploy/prometheus/prometheus.yml')).toContain(`targets: ["slipstream:${metricsPort}"]`);
    expect(read('deploy/prometheus/prometheus.yml')).toMatch(/rule_files:\n {2}- alerts\.yml/);
  });
});

describe('the systemd unit', () => {
  const text = read('deploy/systemd/slipstream.service');
  const values = new Map(
    [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value] as const),
  );

  test('starts the built command, and not again when a setting is wrong', () => {
    const { bin } = JSON.parse(read('package.json'));
    expect(values.get('ExecStart')).toBe(`/usr/bin/node /opt/slipstream/${bin.slipstream}`);
    expect(values.get('Restart')).toBe('on-failure');
    expect(values.get('RestartPreventExitStatus')).toBe('2');
    expect(values.get('Environment')).toContain('SLIPSTREAM_DATA_DIR=/var/lib/slipstream');
    expect(values.get('StateDirectory')).toBe('slipstream');
    expect(Number.parseInt(values.get('TimeoutStopSec') as string, 10)).toBeGreaterThan(10);
    expect(values.get('ExecStartPre')).toBe(`-${values.get('ExecStart')} dictionaries fetch`);
    expect(unknownIn(text)).toEqual([]);
  });

  test('is closed where it can be, and open where V8 needs it', () => {
    expect(values.get('DynamicUser')).toBe('yes');
    expect(values.get('NoNewPrivileges')).toBe('yes');
    expect(values.get('ProtectSystem')).toBe('strict');
    expect(values.get('MemoryDenyWriteExecute')).toBe('no');
    expect(Number(values.get('LimitNOFILE'))).toBeGreaterThan(Number(settings['max-subscribers'].default));
  });

  const hasVerify = existsSync('/usr/bin/systemd-analyze');
  test.skipIf(!hasVerify)(
    `is understood by systemd${hasVerify ? '' : ' (skipped: no systemd-analyze)'}`,
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'slipstream-unit-'));
      const path = join(folder, 'slipstream.service');
      writeFileSync(path, text.replaceAll('/usr/bin/node', process.execPath));
      try {
        execFileSync('systemd-analyze', ['verify', path], { stdio: 'pipe' });
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

describe('docs', () => {
  const migration = read('docs/migrating-from-jetstream.md');
  const rows = [
    ...migration.matchAll(
      /^\| `--([a-z-]+)` +\| `(JETSTREAM_[A-Z_]+)` +\| (?:`([^`]+)`|none) +\| (.*?) +\|$/gm,
    ),
  ];

  test('the migration table has every flag and variable of v1', () => {
    const known = table.flatMap(([, { env }]) => env).filter((name) => name.startsWith('JETSTREAM_'));
    expect(rows.map(([, , variable]) => variable).sort()).toEqual(known.sort());
    for (const [, flag, variable] of rows) {
      expect(flags, flag).toContain(flag);
      expect(variable).toBe(`JETSTREAM_${flag.toUpperCase().replaceAll('-', '_')}`);
    }
  });

  test.each(rows.map(([, flag, variable, , here]) => [flag, variable, here]))(
    '--%s: what is said of it is so',
    (flag, variable, here) => {
      const [name, setting] = table.find(([, { env }]) => env.includes(variable)) as [string, Setting];
      expect(here.startsWith('No effect')).toBe(setting.group === 'No effect');
      if (name !== flag) expect(here).toContain(`--${name}`);
    },
  );

  test.each(['migrating-from-jetstream', 'security', 'deploying'])(
    '%s names settings and files that exist',
    (name) => {
      const text = read(`docs/${name}.md`);
      const others =
        /--(omit|prefix|ignore-scripts|rm|workspaces|detach|stop-timeout|ulimit|build|now|global|read-only|tmpfs|restart|name|help|version|plc-url)\b/g;
      expect(unknownIn(text.replace(others, '').replace(/`JETSTREAM_`|`SLIPSTREAM_`/g, ''))).toEqual([]);
      for (const [, link] of text.matchAll(/\]\(([^)#]+)\)/g))
        expect(existsSync(join(root, 'docs', link)), link).toBe(true);
      for (const [, path] of text.matchAll(/`((?:lib|deploy|test)\/[\w/.-]+)`/g)) {
        expect(existsSync(join(root, path)), path).toBe(true);
      }
    },
  );
});
