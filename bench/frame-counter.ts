// Counts WebSocket messages in a byte stream without keeping or decoding their bytes, so that the load client is not
// what a benchmark measures.

const longestHeaderBytes = 10;

/** One stream of unmasked frames, as a server sends them. */
export class FrameCounter {
  messages = 0;
  pings = 0;
  /** A close frame has come. */
  closed = false;
  #payloadLeft = 0;
  readonly #head = new Uint8Array(longestHeaderBytes);
  #headLength = 0;

  /** Takes the next bytes of the stream, from `start` to `end`; keeps none. */
  take(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#payloadLeft > 0) {
        const step = Math.min(this.#payloadLeft, end - at);
        this.#payloadLeft -= step;
        at += step;
      } else if (this.#headLength === 0 && at + longestHeaderBytes <= end) {
        // The usual case: a whole header in this chunk.
        this.#count(bytes[at]);
        at += headerBytesOf(bytes[at + 1]) + payloadBytesAt(bytes, at);
        if (at > end) {
          this.#payloadLeft = at - end;
          at = end;
        }
      } else {
        this.#head[this.#headLength++] = bytes[at++];
        this.#readHead();
      }
    }
  }

  #readHead(): void {
    if (this.#headLength < 2 || this.#headLength < headerBytesOf(this.#head[1])) return;
    this.#count(this.#head[0]);
    this.#payloadLeft = payloadBytesAt(this.#head, 0);
    this.#headLength = 0;
  }

  #count(first: number): void {
    const opcode = first & 15;
    if (opcode === 1 || opcode === 2) this.messages++;
    else if (opcode === 9) this.pings++;
    else if (opcode === 8) this.closed = true;
  }
}

function headerBytesOf(second: number): number {
  return second < 126 ? 2 : second === 126 ? 4 : longestHeaderBytes;
}

/** Payload bytes of the frame that starts at `at`; no server here sends one of 4 GiB. */
function payloadBytesAt(bytes: Uint8Array, at: number): number {
  const second = bytes[at + 1];
  if (second < 126) return second;
  if (second === 126) return (bytes[at + 2] << 8) | bytes[at + 3];
  return ((bytes[at + 6] << 24) | (bytes[at + 7] << 16) | (bytes[at + 8] << 8) | bytes[at + 9]) >>> 0;
}
