// The error class of the daemon, its commands and the client. A code is stable and starts with its stage (`LOG_`,
// `CONFIG_`, …), so that it can be looked up in docs/errors.md; the message says what was wrong, with which value, and
// what to do. An error carries its own classification (retryable, exit code): callers do not match codes by name.

/** How a process ends by an error: 1 is a failure at work, 2 something that the operator or the caller has to correct. */
export type ErrorExitCode = 1 | 2;

interface CodedErrorOptions {
  readonly cause?: unknown;
  readonly retryable?: boolean;
  readonly exitCode?: ErrorExitCode;
}

/** An error with a stable code; `retryable` says whether the same call may succeed later. */
export class CodedError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly exitCode: ErrorExitCode;

  constructor(code: string, message: string, options: CodedErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'CodedError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** Wrong use: a flag, a setting, a file or an address that was given, and has to be another one. */
export class UsageError extends CodedError {
  constructor(code: string, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, { ...options, exitCode: 2 });
  }
}
