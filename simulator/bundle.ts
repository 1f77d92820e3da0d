// Makes one file of `relay-sim`, packages included, for the demo in the daemon's package: what is installed there need not have
// the simulator's packages. Run when that package is packed; their licences go with it.

import { resolve } from 'node:path';
import { build } from 'vite';

const root = resolve(import.meta.dirname, '..');

await build({
  configFile: false,
  root,
  logLevel: 'warn',
  ssr: { noExternal: true, target: 'node' },
  build: {
    ssr: 'simulator/cmd/relay-sim.ts',
    outDir: 'dist/cmd/relay-sim',
    emptyOutDir: true,
    target: 'node22',
    minify: true,
    license: { fileName: 'LICENSES.md' },
    rollupOptions: { output: { entryFileNames: 'relay-sim.js', chunkFileNames: '[name].js' } },
  },
});
