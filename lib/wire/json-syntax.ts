// Checks JSON text and words what is wrong with it as the v1 wire does, because clients are shown these words in close
// reasons. It allocates nothing and does not recurse, so that a hostile message of the longest size costs one pass.
// Values are read by json-reader.ts, from text that has passed here.

/** Deepest nesting of arrays and objects. */
const jsonDepthMax = 10_000;

const endOfInput = 'unexpected end of JSON input';

/** What is wrong with `text` as one JSON value, in the wire's words; undefined when nothing is. */
export function jsonSyntaxError(text: string): string | undefined {
  return new SyntaxScan(text).run();
}

const quote = 0x22;
const backslash = 0x5c;

class SyntaxScan {
  readonly #text: string;
  /** The open containers, outermost first: true for objects. */
  readonly #objects: boolean[] = [];
  #at = 0;
  #error: string | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  run(): string | undefined {
    while (this.#value()) {
      if (!this.#afterValue()) break;
    }
    return this.#error;
  }

  /** Scans one scalar, or opens containers up to their first scalar; false when the text ends or is wrong. */
  #value(): boolean {
    for (;;) {
      const code = this.#next();
      if (code === 0x7b) {
        if (!this.#open(true)) return false;
        if (this.#next() === 0x7d) return true;
        if (!this.#name()) return false;
      } else if (code === 0x5b) {
        if (!this.#open(false)) return false;
        if (this.#next() === 0x5d) return true;
      } else {
        return this.#scalar(code);
      }
    }
  }

  /** Closes containers and passes the comma to the next value; false at the end of the text or when it is wrong. */
  #afterValue(): boolean {
    for (;;) {
      const code = this.#next();
      const depth = this.#objects.length;
      if (depth === 0) {
        if (!Number.isNaN(code)) this.#fail('after top-level value');
        return false;
      }
      const inObject = this.#objects[depth - 1];
      if (code === 0x2c) {
        this.#at++;
        return inObject ? this.#name() : true;
      }
      if (code !== (inObject ? 0x7d : 0x5d)) {
        return this.#fail(inObject ? 'after object key:value pair' : 'after array element');
      }
      this.#at++;
      this.#objects.pop();
    }
  }

  #open(object: boolean): boolean {
    if (this.#objects.length === jsonDepthMax) return this.#fail('exceeded max depth');
    this.#at++;
    this.#objects.push(object);
    return true;
  }

  /** An object key and its colon. */
  #name(): boolean {
    if (this.#next() !== quote) return this.#fail('looking for beginning of object key string');
    if (!this.#string()) return false;
    if (this.#next() !== 0x3a) return this.#fail('after object key');
    this.#at++;
    return true;
  }

  #scalar(code: number): boolean {
    switch (code) {
      case quote:
        return this.#string();
      case 0x74:
        return this.#literal('true');
      case 0x66:
        return this.#literal('false');
      case 0x6e:
        return this.#literal('null');
      default:
        if (code === 0x2d || isDigit(code)) return this.#number(code);
        return this.#fail('looking for beginning of value');
    }
  }

  #string(): boolean {
    const text = this.#text;
    for (this.#at++; ; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if (code === quote) {
        this.#at++;
        return true;
      }
      if (code === backslash) {
        this.#at++;
        if (!this.#escape()) return false;
      } else if (!(code >= 0x20)) {
        return this.#fail('in string literal');
      }
    }
  }

  /** What follows a backslash; stops at its last character. */
  #escape(): boolean {
    const code = this.#text.charCodeAt(this.#at);
    if (code !== 0x75)
      return (
        '"\\/bfnrt'.includes(this.#text.charAt(this.#at) || '-') || this.#failInside('in string escape code')
      );
    for (let digit = 0; digit < 4; digit++) {
      this.#at++;
      if (!isHexDigit(this.#text.charCodeAt(this.#at)))
        return this.#failInside('in \\u hexadecimal character escape');
    }
    return true;
  }

  #literal(word: string): boolean {
    for (let index = 1; index < word.length; index++) {
      this.#at++;
      if (this.#text.charCodeAt(this.#at) !== word.charCodeAt(index)) {
        return this.#failInside(`in literal ${word} (expecting '${word[index]}')`);
      }
    }
    this.#at++;
    return true;
  }

  #number(first: number): boolean {
    if (first === 0x2d) this.#at++;
    const text = this.#text;
    if (text.charCodeAt(this.#at) === 0x30) this.#at++;
    else if (!this.#digits('in numeric literal')) return false;
    if (text.charCodeAt(this.#at) === 0x2e) {
      this.#at++;
      if (!this.#digits('after decimal point in numeric literal')) return false;
    }
    if ((text.charCodeAt(this.#at) | 0x20) === 0x65) {
      this.#at++;
      const sign = text.charCodeAt(this.#at);
      if (sign === 0x2b || sign === 0x2d) this.#at++;
      return this.#digits('in exponent of numeric literal');
    }
    return true;
  }

  /** At least one digit. */
  #digits(context: string): boolean {
    if (!isDigit(this.#text.charCodeAt(this.#at))) return this.#failInside(context);
    do this.#at++;
    while (isDigit(this.#text.charCodeAt(this.#at)));
    return true;
  }

  /** The next character that is no white space, without passing it; NaN at the end. */
  #next(): number {
    const text = this.#text;
    for (;;) {
      const code = text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code;
      this.#at++;
    }
  }

  /** Notes what is wrong with the character here, or that there is none. Always false. */
  #fail(context: string): false {
    if (this.#at >= this.#text.length) this.#error = endOfInput;
    else this.#error = `invalid character ${quoted(this.#text, this.#at)} ${context}`;
    return false;
  }

  /** The same inside a number, literal or escape, where the wire shows the end of the text as a space. */
  #failInside(context: string): false {
    if (this.#at < this.#text.length) return this.#fail(context);
    this.#error = `invalid character ' ' ${context}`;
    return false;
  }
}

/** The character at `at` as the wire shows it: the first byte of its UTF-8, quoted. */
function quoted(text: string, at: number): string {
  const byte = Buffer.from(String.fromCodePoint(text.codePointAt(at) as number))[0];
  if (byte === 0x27) return "'\\''";
  if (byte === backslash) return "'\\\\'";
  const short = shortEscapes.get(byte);
  if (short !== undefined) return `'${short}'`;
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, '0')}'`;
  return `'${String.fromCharCode(byte)}'`;
}

const shortEscapes = new Map([
  [0x07, '\\a'],
  [0x08, '\\b'],
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0b, '\\v'],
  [0x0c, '\\f'],
  [0x0d, '\\r'],
]);

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isHexDigit(code: number): boolean {
  return isDigit(code) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}
