// Run by npm in a clone after its packages are installed: where this machine's Node.js is too old for the project, a newer one is put
// beside them, for the npm scripts alone. It is 210 MB, so it is no dependency. It is the script `dependencies`, which npm runs for the
// folder that it works in and never for an installed package; there it does nothing, whoever calls it.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSupportedNode } from './supported-node.js';

const newer = 'node@26.10.0';
const root = fileURLToPath(new URL('..', import.meta.url));
/** Set for the npm that is called here, which would call this in its turn. */
const isCalled = 'NEWER_NODE_CALLED';

const isClone = existsSync(new URL('../cmd/slipstream.ts', import.meta.url));
// One that lay here may just have been deleted with all packages, while it runs this.
const isOurs = process.execPath.startsWith(`${root}node_modules${sep}`);
const isMissing = isOurs ? !existsSync(process.execPath) : !isSupportedNode(process.versions.node);
const isThere = existsSync(new URL('../node_modules/node/package.json', import.meta.url));
if (isClone && isMissing && !isThere && process.env[isCalled] === undefined) {
  console.log(
    `Node.js ${process.versions.node} of this machine is too old: ${newer} is installed for this folder`,
  );
  const env = { ...process.env, [isCalled]: '1' };
  const flags = ['--no-save', '--loglevel=error'];
  execFileSync('npm', ['install', ...flags, newer], {
    cwd: root,
    env,
    stdio: 'inherit',
    shell: sep === '\\',
  });
}
