#!/usr/bin/env node
// The installed command, and the npm scripts of a clone: says in one line when this Node.js is too old, else starts the program, which
// an old one could not even read. So it imports nothing at its top, and is written as any Node.js since 14 understands. In a clone it
// runs the sources, built or not.

import('./supported-node.js').then(({ isSupportedNode, supportedNode }) => {
  if (!isSupportedNode(process.versions.node)) {
    process.stderr.write(
      `slipstream: this is Node.js ${process.versions.node}, and ${supportedNode} is needed: see https://nodejs.org\n`,
    );
    process.exitCode = 2;
    return undefined;
  }
  const source = new URL('../cmd/slipstream.ts', import.meta.url);
  const isClone = process.getBuiltinModule('node:fs').existsSync(source);
  return import(isClone ? source.href : new URL('../dist/cmd/slipstream.js', import.meta.url).href);
});
