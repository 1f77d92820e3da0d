// A recording of a relay: frames as they came, `[u32 little-endian length][frame]`, repeated. Read a piece at a time, so that it may be
// larger than memory.

import { createReadStream } from 'node:fs';
import { UsageError } from '../../lib/errors.ts';

/** Largest frame that is read; relays end well below. */
const frameBytesMax = 16 * 1024 * 1024;
const lengthBytes = 4;

/**
 * Every frame of a file. A frame is the caller's until it asks for the next one.
 * @throws UsageError `VERIFY_FILE_INVALID` when the file cannot be read, or a frame is not there whole.
 */
export async function* readRecording(path: string): AsyncGenerator<Buffer> {
  let bytes = Buffer.alloc(0);
  let offset = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      bytes = Buffer.concat([bytes, chunk as Buffer]);
      let at = 0;
      while (bytes.length - at >= lengthBytes) {
        const length = bytes.readUInt32LE(at);
        if (length > frameBytesMax)
          throw invalid(path, `no frame at byte ${offset + at}: its length is ${length}`);
        if (bytes.length - at - lengthBytes < length) break;
        yield bytes.subarray(at + lengthBytes, at + lengthBytes + length);
        at += lengthBytes + length;
      }
      bytes = bytes.subarray(at);
      offset += at;
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw invalid(path, (error as Error).message, error);
  }
  if (bytes.length > 0) throw invalid(path, `the frame at byte ${offset} is cut off`);
}

function invalid(path: string, what: string, cause?: unknown): UsageError {
  const text = `${path}: ${what}; a recording is [u32 little-endian length][frame], repeated`;
  return new UsageError('VERIFY_FILE_INVALID', text, { cause });
}
