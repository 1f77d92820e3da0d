// A machine smaller than this one, for the processes that are started on it: so much memory and such a part of a core, by a control group
// of version 1, as in containers. It can be made by root alone; where it cannot, its figures are left out.

import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const root = '/sys/fs/cgroup';
const controllers = ['memory', 'cpu'] as const;
type Controller = (typeof controllers)[number];
const periodUs = 100_000;

/** See the file comment. Disposed of once its processes have ended. */
export class SmallMachine implements AsyncDisposable {
  readonly #name = `slipstream-bench-${process.pid}`;
  /** Where this process is. */
  readonly #own: Readonly<Record<Controller, string>>;

  private constructor(own: Readonly<Record<Controller, string>>) {
    this.#own = own;
  }

  /** Undefined where none can be made. */
  static make(memoryBytes: number, cores: number): SmallMachine | undefined {
    try {
      const lines = readFileSync('/proc/self/cgroup', 'latin1').split('\n');
      const groupOf = (name: Controller): string => {
        const line = lines.find((text) => text.split(':')[1]?.split(',').includes(name));
        if (line === undefined) throw new Error(`no control group of ${name}`);
        return join(root, name, line.split(':')[2]);
      };
      const machine = new SmallMachine({ memory: groupOf('memory'), cpu: groupOf('cpu') });
      for (const name of controllers) mkdirSync(machine.#folder(name));
      writeFileSync(join(machine.#folder('memory'), 'memory.limit_in_bytes'), String(memoryBytes));
      writeFileSync(join(machine.#folder('cpu'), 'cpu.cfs_period_us'), String(periodUs));
      writeFileSync(join(machine.#folder('cpu'), 'cpu.cfs_quota_us'), String(Math.round(periodUs * cores)));
      return machine;
    } catch {
      return undefined;
    }
  }

  /** Has `start` start its processes here; those that it starts before it waits for anything. */
  within<Result>(start: () => Result): Result {
    const enter = (folderOf: (name: Controller) => string): void => {
      for (const name of controllers)
        writeFileSync(join(folderOf(name), 'cgroup.procs'), String(process.pid));
    };
    enter((name) => this.#folder(name));
    try {
      return start();
    } finally {
      enter((name) => this.#own[name]);
    }
  }

  /** Times that the system found no memory for it and ended a process. */
  outOfMemory(): number {
    const text = readFileSync(join(this.#folder('memory'), 'memory.oom_control'), 'latin1');
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  #folder(name: Controller): string {
    return join(root, name, this.#name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of controllers) {
      for (let tries = 0; tries < 50; tries++) {
        try {
          rmdirSync(this.#folder(name));
          break;
        } catch {
          // Its last process is still about to end.
          await delay(100);
        }
      }
    }
  }
}
