// Loaded into the daemon before its own code: makes the change of mutant-plugin.ts to what Node loads, in every thread.

import { registerHooks } from 'node:module';
import { type Mutant, mutantVariable } from './mutant-plugin.ts';

const { file, from, to }: Mutant = JSON.parse(process.env[mutantVariable] as string);
const url = new URL(`../../${file}`, import.meta.url).href;

registerHooks({
  load(loaded, context, next) {
    const result = next(loaded, context);
    if (loaded !== url || result.source === undefined || result.source === null) return result;
    const source =
      typeof result.source === 'string' ? result.source : Buffer.from(result.source as Uint8Array).toString();
    if (source.split(from).length !== 2) throw new Error(`${file} does not have this once: ${from}`);
    return { ...result, source: source.replace(from, () => to) };
  },
});
