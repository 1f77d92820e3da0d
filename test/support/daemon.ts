// A service on free ports with a relay of the test's choice, in this process: the whole daemon but for its shell.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LinkTiming } from '../../lib/ingest/relay-link.ts';
import { createLogger } from '../../lib/logger.ts';
import { Service } from '../../lib/service/service.ts';
import { readConfig } from './config.ts';

/** A running service; `await using` stops it and removes its data. */
export class Daemon implements AsyncDisposable {
  readonly dataDir: string;
  /** What it has logged, as JSON lines. */
  readonly lines: string[] = [];
  service!: Service;

  private constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  /** @param timing of the way in, shorter than it is. @param prepare puts something into the data directory. */
  static async start(
    flags: readonly string[],
    timing: Partial<LinkTiming> = {},
    prepare: (dataDir: string) => void = () => {},
  ): Promise<Daemon> {
    const daemon = new Daemon(await mkdtemp(join(tmpdir(), 'slipstream-daemon-')));
    prepare(daemon.dataDir);
    await daemon.restart(flags, timing).catch(async (error: unknown) => {
      await rm(daemon.dataDir, { recursive: true });
      throw error;
    });
    return daemon;
  }

  /** Starts a service on the same data, once the one before has been stopped. */
  async restart(flags: readonly string[], timing: Partial<LinkTiming> = {}): Promise<void> {
    const own = [
      '--data-dir',
      this.dataDir,
      '--listen-addr',
      '127.0.0.1:0',
      '--metrics-listen-addr',
      '127.0.0.1:0',
    ];
    const config = readConfig([...own, ...flags], {});
    const target = { write: (line: string) => this.lines.push(line) };
    this.service = await Service.start(
      config,
      createLogger({ level: 'debug', format: 'json', target }),
      timing,
    );
  }

  get url(): string {
    return `ws://127.0.0.1:${this.service.addresses.public?.port}/subscribe`;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.service.addresses.public?.port}`;
  }

  async metric(name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.service.addresses.metrics.port}/metrics`);
    const line = (await response.text()).split('\n').find((text) => text.startsWith(`${name} `));
    return line === undefined ? Number.NaN : Number(line.slice(name.length + 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service.stop();
    await rm(this.dataDir, { recursive: true });
  }
}
