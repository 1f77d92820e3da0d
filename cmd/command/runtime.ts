// Where the daemon can run. It says so in a line where it cannot, before a part of it fails at something that tells nobody why.

import { UsageError } from '../../lib/errors.ts';

/**
 * The daemon bounds memory by parts of Node.js that other runtimes do not have. `tail`, which is the client, runs there too.
 * @param versions as `process.versions`. @throws UsageError `CONFIG_RUNTIME`.
 */
export function requireNode(what: string, versions: Readonly<Record<string, string | undefined>>): void {
  const other = [
    ['Bun', versions.bun],
    ['Deno', versions.deno],
  ].find(([, version]) => version !== undefined);
  if (other === undefined) return;
  const text = `this is ${other.join(' ')}, and ${what} needs Node.js: start it with node. "tail" and the package slipstream-client run here too`;
  throw new UsageError('CONFIG_RUNTIME', text);
}
