// Packs a package of this repository and installs the tarball in an empty project, as a user would, and runs things there.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

export const root = resolve(import.meta.dirname, '../..');
const run = promisify(execFile);
const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];

/** True where packages can be installed. CI has to be such a place, so that nothing is skipped there unseen. */
export const hasRegistry =
  Boolean(process.env.CI) || spawnSync('npm', ['ping'], { timeout: 30_000, stdio: 'ignore' }).status === 0;
export const skipped = hasRegistry ? '' : ' (skipped: no package registry)';

/** An empty project with one package in it; `await using` removes it. */
export class EmptyProject implements AsyncDisposable {
  readonly folder: string;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @param workspace `.` for the daemon's package. */
  static async with(workspace: string): Promise<EmptyProject> {
    const project = new EmptyProject(await mkdtemp(join(tmpdir(), 'slipstream-package-')));
    const { folder } = project;
    await run('npm', ['pack', '--pack-destination', folder, ...quiet], {
      cwd: join(root, workspace),
    });
    const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack made nothing');
    await writeFile(join(folder, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
    await run('npm', ['install', `./${tarball}`, ...quiet], { cwd: folder });
    return project;
  }

  /** Installs a package of others beside. */
  async add(name: string): Promise<void> {
    await run('npm', ['install', name, ...quiet], { cwd: this.folder });
  }

  /** Every file that was installed, relative to `node_modules`. */
  async installed(): Promise<string[]> {
    return readdir(join(this.folder, 'node_modules'), { recursive: true });
  }

  /** Names of the packages that were installed. */
  async packages(): Promise<string[]> {
    const files = await this.installed();
    return files
      .map((name) => /^((?:@[^/]+\/)?[^/@.][^/]*)\/package\.json$/.exec(name)?.[1])
      .filter((name) => name !== undefined)
      .sort();
  }

  /**
   * Links of a package's documents that lead nowhere: files that were not packed, and addresses in the repository where there is no such
   * file.
   */
  async deadLinks(name: string): Promise<string[]> {
    const own = join(this.folder, 'node_modules', name);
    const dead: string[] = [];
    for (const file of await readdir(own, { recursive: true })) {
      if (!file.endsWith('.md') || file.includes('dist/')) continue;
      const text = await readFile(join(own, file), 'utf8');
      for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const [, inRepository] =
          /^https:\/\/github\.com\/[^/]+\/slipstream\/blob\/main\/([^#]+)/.exec(link) ?? [];
        if (inRepository === undefined && /^(\w+:|#)/.test(link)) continue;
        const path =
          inRepository === undefined
            ? join(own, dirname(file), link.split('#')[0])
            : join(root, inRepository);
        if (!existsSync(path)) dead.push(`${file}: ${link}`);
      }
    }
    return dead;
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.folder, name), text);
  }

  /** Runs a command to its end, whatever its exit code; commands of the packages are found, as by `npx`. */
  async run(command: string, ...args: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
    const options = { cwd: this.folder, env: this.#env, timeout: 120_000 };
    return run(command, args, options).then(
      (result) => ({ ...result, code: 0 }),
      ({ stdout, stderr, code }) => ({ stdout, stderr, code }),
    );
  }

  /** Starts a command; its first line of output that `pattern` is in, as the pattern's match. */
  async start(pattern: RegExp, command: string, ...args: string[]): Promise<RegExpExecArray> {
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const child = spawn(command, args, { cwd: this.folder, env: this.#env, stdio: [...stdio] });
    this.#children.push(child);
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const match = pattern.exec(line);
      if (match === null) continue;
      child.stdout?.resume();
      return match;
    }
    throw new Error(`${command} ended, and never said ${pattern}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = new Promise((exited) => child.once('exit', exited));
        child.kill('SIGKILL');
        await gone;
      }),
    );
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The Node that the tests run in comes first. */
  get #env(): NodeJS.ProcessEnv {
    const path = [
      join(this.folder, 'node_modules/.bin'),
      join(root, 'node_modules/node/bin'),
      process.env.PATH,
    ].join(':');
    return { ...process.env, PATH: path };
  }
}
