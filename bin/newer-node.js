// Run by npm in a clone after its packages are installed: where this machine's Node.js is too old for the project, a newer one is put
// beside them, for the npm scripts alone. It is 210 MB, so it is no dependency. In an installed package it does nothing, whoever calls it.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isSupportedNode } from './supported-node.js';

const newer = 'node@26.10.0';
const root = fileURLToPath(new URL('..', import.meta.url));

// One that lay here has just been deleted with all packages.
const isOurs = process.execPath.startsWith(`${root}node_modules${sep}`);
// npm runs this when it packs too, with the packages in place.
const isInstall = !['pack', 'publish'].includes(process.env.npm_command ?? '');
const isClone = existsSync(new URL('../cmd/slipstream.ts', import.meta.url));
if (isClone && isInstall && (isOurs || !isSupportedNode(process.versions.node))) {
  console.log(
    `Node.js ${process.versions.node} of this machine is too old: ${newer} is installed for this folder`,
  );
  const flags = ['--no-save', '--loglevel=error'];
  execFileSync('npm', ['install', ...flags, newer], { cwd: root, stdio: 'inherit', shell: sep === '\\' });
}
