// What can check signatures of secp256k1 on this machine. Native code comes with an optional package, and for some platforms alone.

import { SignatureChecker } from '../../lib/verify/signature.ts';

/** The platforms that the package has a binary for. */
export const hasNative = ['linux-x64', 'darwin-arm64', 'win32-x64'].includes(
  `${process.platform}-${process.arch}`,
);

export const engineNames = [...(hasNative ? (['native'] as const) : []), 'wasm', 'node'] as const;

/** One of each. */
export const checkers: readonly SignatureChecker[] = await Promise.all(
  engineNames.map((engine) => SignatureChecker.load([engine])),
);
