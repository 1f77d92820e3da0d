// A logger that does not repeat itself: of warnings and errors with the same message and the same relay and name, code or reason
// in their fields the first is written at once, and what follows within a minute becomes one line that says how many there
// were. Other levels pass. Wrapped around the process's logger by service.ts, so that no stage has to think of it.

import type { LogFields, Logger, ProcessLogger } from './logger.ts';

/** Shortest time between two lines of one message. */
const quietMs = 60_000;
/** Messages that are told apart at a time; all beyond them are one. Ours are some thirty, names are a relay's. */
export const messagesMax = 128;

type Level = 'error' | 'warn';

/** One message that was written, and what has come since. */
interface Repeated {
  count: number;
  fields: LogFields;
  message: string;
  timer: NodeJS.Timeout;
}

/** See the file comment. */
export class Repeats implements Logger {
  readonly #logger: Logger & Partial<ProcessLogger>;
  readonly #repeated = new Map<string, Repeated>();

  constructor(logger: Logger & Partial<ProcessLogger>) {
    this.#logger = logger;
  }

  /** As `ProcessLogger.lostLines`. */
  get lostLines(): number {
    return this.#logger.lostLines ?? 0;
  }

  get isForPeople(): boolean {
    return this.#logger.isForPeople ?? false;
  }

  error(fields: LogFields, message: string): void {
    this.#write('error', fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#write('warn', fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#logger.info(fields, message);
  }

  debug(fields: LogFields, message: string): void {
    this.#logger.debug(fields, message);
  }

  /** Writes what is held back, and holds nothing back that comes later. Idempotent. */
  flush(): void {
    for (const [key, repeated] of this.#repeated) {
      clearTimeout(repeated.timer);
      this.#summarize(key.startsWith('error') ? 'error' : 'warn', repeated);
    }
    this.#repeated.clear();
  }

  #write(level: Level, fields: LogFields, message: string): void {
    const own = `${level} ${message} ${fields.name ?? fields.code ?? fields.reason ?? ''} ${fields.relay ?? ''}`;
    const key = this.#repeated.has(own) || this.#repeated.size < messagesMax - 1 ? own : level;
    const repeated = this.#repeated.get(key);
    if (repeated === undefined) {
      this.#logger[level](fields, message);
      const timer = setTimeout(() => this.#minuteOver(level, key), quietMs).unref();
      this.#repeated.set(key, { count: 0, fields, message, timer });
    } else {
      repeated.count++;
      repeated.fields = fields;
      repeated.message = message;
    }
  }

  #minuteOver(level: Level, key: string): void {
    const repeated = this.#repeated.get(key) as Repeated;
    if (repeated.count === 0) {
      this.#repeated.delete(key);
    } else {
      this.#summarize(level, repeated);
      repeated.timer.refresh();
    }
  }

  /** Writes the last of those that came, and how many they were. */
  #summarize(level: Level, repeated: Repeated): void {
    if (repeated.count > 0)
      this.#logger[level]({ ...repeated.fields, repeats: repeated.count }, repeated.message);
    repeated.count = 0;
  }
}
