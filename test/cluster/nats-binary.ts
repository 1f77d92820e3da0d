// The NATS server of the tests, in a version of our choice: built from its Go module once, into a cache outside of the repository.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const version = '2.15.3';
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'slipstream', `nats-${version}`);

/** Path of the server; undefined, and a line, where it is not there and there is no Go to build it. Builds for some minutes. */
export function natsServer(): string | undefined {
  const path = join(cache, 'nats-server');
  if (existsSync(path)) return path;
  const go = ['go', '/usr/local/go/bin/go'].find(runs);
  if (go === undefined) {
    console.log('skipped: there is no Go here, by which the NATS server is built');
    return undefined;
  }
  const building = `${cache}-${process.pid}`;
  mkdirSync(building, { recursive: true });
  const env = { ...process.env, GOBIN: building };
  execFileSync(go, ['install', `github.com/nats-io/nats-server/v2@v${version}`], { env, stdio: 'inherit' });
  mkdirSync(cache, { recursive: true });
  renameSync(join(building, 'nats-server'), path);
  return path;
}

function runs(command: string): boolean {
  try {
    execFileSync(command, ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
