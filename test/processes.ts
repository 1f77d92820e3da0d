// Which files of the suite `unit` share a process, one after the other, and which of their neighbours must not. A process of its own
// costs a file 0.1 s of a core, and its imports as much again. Used by the configuration of vitest.

/** Files that put others in place of modules, or change or measure what all tests of a process have in common, by name. */
const apart = ['newest-block', 'setting-sources', 'signature'];

/** Folders whose tests have nothing to do with their process: values in and out, and files in folders of their own. */
const folders = [
  'test/{config,decode,event,fanout,log,proofs,verify,wire}',
  'test/cmd/{inspect,tail,verify}',
  'simulator/test',
];

export const sharing: readonly string[] = folders.map(
  (folder) => `${folder}/**/!(${apart.join('|')}).test.ts`,
);

/** What only files of their own process may say. */
export const ofProcess =
  /\bvi\.(?:mock|doMock|resetModules|stubEnv|stubGlobal)\(|\bprocess\.(?:chdir|on|once|memoryUsage)\(|\bprocess\.env\.\w+ = |\b(?:define|delete)Property\((?:process|globalThis)\b|\b(?:WeakRef|setFlagsFromString)\b/;
