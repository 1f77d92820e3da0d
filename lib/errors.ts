// The one error class of the daemon. A code is stable and starts with its stage (`LOG_`, `CONFIG_`, …), so that an
// operator can search for it; the message says what was wrong, with which value, and what to do.

/** An error with a stable code; `retryable` says whether the same call may succeed later. */
export class CodedError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'CodedError';
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}
