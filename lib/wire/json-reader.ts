// Reads values out of JSON text that json-syntax.ts has found correct, one at a time and without building what nobody
// asked for: duplicate names stay visible, numbers keep their spelling, and strings keep nothing of the text alive.

/** Kind of a JSON value, in the words of the v1 wire's type errors. */
export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'bool' | 'null';

const quote = 0x22;
const backslash = 0x5c;

/** A position in checked text. */
export class JsonReader {
  readonly #text: string;
  #at: number;

  /** @param at where a value starts, or white space before it. */
  constructor(text: string, at = 0) {
    this.#text = text;
    this.#at = at;
    this.#skipSpace();
  }

  /** Where the next value starts. */
  get at(): number {
    return this.#at;
  }

  /** Kind of the next value. */
  kind(): JsonKind {
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        return 'object';
      case 0x5b:
        return 'array';
      case quote:
        return 'string';
      case 0x74:
      case 0x66:
        return 'bool';
      case 0x6e:
        return 'null';
      default:
        return 'number';
    }
  }

  /** Passes the next value, which is a string, and returns what it spells. */
  string(): string {
    const start = this.#at;
    this.#skipString();
    const value = JSON.parse(this.#text.slice(start, this.#at)) as string;
    this.#skipSpace();
    return value;
  }

  /** Passes the next value, which is a scalar, and returns its spelling. */
  spelling(): string {
    const start = this.#at;
    this.#skipValue();
    const spelling = this.#text.slice(start, this.#at);
    this.#skipSpace();
    return spelling;
  }

  /** Passes the opening bracket of the next value, which is an array or an object. */
  enter(): void {
    this.#at++;
    this.#skipSpace();
  }

  /** Inside an array or object: passes the comma before the next element, or the end of it all, which is false. */
  more(): boolean {
    const code = this.#text.charCodeAt(this.#at);
    const ends = code === 0x7d || code === 0x5d;
    if (ends || code === 0x2c) {
      this.#at++;
      this.#skipSpace();
    }
    return !ends;
  }

  /** Inside an object: passes a name and its colon, and returns the name. */
  name(): string {
    const name = this.string();
    this.#at++;
    this.#skipSpace();
    return name;
  }

  /** Passes the next value, whatever it is. */
  skip(): void {
    this.#skipValue();
    this.#skipSpace();
  }

  #skipValue(): void {
    let depth = 0;
    do {
      const code = this.#text.charCodeAt(this.#at);
      if (code === quote) this.#skipString();
      else {
        if (code === 0x7b || code === 0x5b) depth++;
        else if (code === 0x7d || code === 0x5d) depth--;
        this.#at++;
      }
    } while (depth > 0);
    // What is left of a literal or number.
    while (isWordCode(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #skipString(): void {
    const text = this.#text;
    for (this.#at++; ; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if (code === backslash) this.#at++;
      else if (code === quote) break;
    }
    this.#at++;
  }

  #skipSpace(): void {
    const text = this.#text;
    for (;;) {
      const code = text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }
}

/** The strings of the array at `at`, which is none when it is undefined; of other elements, an empty one. */
export function* stringsAt(text: string, at: number | undefined): Generator<string> {
  if (at === undefined) return;
  const reader = new JsonReader(text, at);
  for (reader.enter(); reader.more(); ) {
    if (reader.kind() === 'string') {
      yield reader.string();
    } else {
      reader.skip();
      yield '';
    }
  }
}

/** Characters that numbers and literals go on with: digits, lower-case letters, `E`, `+`, `-`, `.`. */
function isWordCode(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x61 && code <= 0x7a) ||
    code === 0x45 ||
    code === 0x2b ||
    code === 0x2d ||
    code === 0x2e
  );
}
