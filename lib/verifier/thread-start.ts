// Starts the thread that checks commits: it is up, or there is an error that says why not.

import { Worker } from 'node:worker_threads';
import { CodedError } from '../errors.ts';
import type { SignatureEngine } from '../verify/signature.ts';
import type { FromVerifier, VerifierStart } from './verifier-messages.ts';

/** @throws CodedError of a database that it cannot open, `IDENTITY_BAD_URL`. */
export async function startThread(
  start: VerifierStart,
): Promise<{ readonly worker: Worker; readonly engine: SignatureEngine }> {
  // The package holds compiled files, the repository their sources.
  const file = `./verifier-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`;
  const worker = new Worker(new URL(file, import.meta.url), { workerData: start });
  const first = await new Promise<FromVerifier>((resolve, reject) => {
    worker.once('message', resolve);
    // Later these settle what is settled.
    worker.once('error', reject);
    worker.once('exit', (code) => reject(endedError(code)));
  });
  if (first.kind === 'ready') return { worker, engine: first.engine };
  await worker.terminate();
  const { code, message, retryable, exitCode } = first as Extract<FromVerifier, { kind: 'refusal' }>;
  throw new CodedError(code, message, { retryable, exitCode });
}

/** The thread has ended, and was not asked to. */
export function endedError(exitCode: number): CodedError {
  const what = `the thread that checks commits has ended with exit code ${exitCode}`;
  return new CodedError(
    'VERIFY_THREAD_ENDED',
    `${what}: nothing is checked until the daemon is started again`,
  );
}
