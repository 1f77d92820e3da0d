// Changes one line of a source file while tests run, so that a test can show that others would notice. The change is in the
// environment, as JSON; nothing is written to a file. Used by the configuration of vitest.

import { fileURLToPath } from 'node:url';

/** One line's change: `from` stands in the file exactly once. */
export interface Mutant {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const mutantVariable = 'SLIPSTREAM_MUTANT';

/** Preloads that make the change of the environment in a process of its own; none when there is none. */
export function mutantPreloads(): { file: string; env: Record<string, string> }[] {
  const text = process.env[mutantVariable];
  return text === undefined
    ? []
    : [{ file: `${root}test/mutants/mutant-preload.ts`, env: { [mutantVariable]: text } }];
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A plugin for the mutant of the environment; none when there is none. */
export function mutantPlugins(): {
  name: string;
  enforce: 'pre';
  transform(code: string, id: string): string | undefined;
}[] {
  const text = process.env[mutantVariable];
  if (text === undefined) return [];
  const { file, from, to }: Mutant = JSON.parse(text);
  return [
    {
      // Vitest keeps what it has transformed by the names of plugins, also for the next run.
      name: `mutant ${text}`,
      enforce: 'pre',
      transform(code, id) {
        if (id !== root + file) return undefined;
        if (code.split(from).length !== 2) throw new Error(`${file} does not have this once: ${from}`);
        return code.replace(from, () => to);
      },
    },
  ];
}
