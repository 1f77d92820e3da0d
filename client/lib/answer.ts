// The body of an HTTP answer within a bound: whoever sends it decides how long it is, compressed ones more than others. How long it
// may take is its caller's, by the signal of the request.

import type { ResponseLike } from './platform.ts';

/** Of a text: a server's words, or a short list. */
const textBytesMax = 64 * 1024;

/** The whole body. @throws Error for one of more than so many bytes. */
export async function wholeOf(response: ResponseLike, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes, isWhole } = await beginningOf(response, bytesMax);
  if (!isWhole) throw new RangeError(`the answer has more than ${bytesMax} bytes`);
  return bytes;
}

/** The text of the body, or its first 64 KiB. */
export async function textOf(response: ResponseLike): Promise<string> {
  return new TextDecoder().decode((await beginningOf(response, textBytesMax)).bytes);
}

async function beginningOf(
  response: ResponseLike,
  bytesMax: number,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly isWhole: boolean }> {
  const { body } = response;
  // A fetch of the caller's may have no streams, or those of Node.
  if (body === undefined || (body !== null && typeof body.getReader !== 'function')) {
    const all = new Uint8Array(await response.arrayBuffer());
    return { bytes: all.subarray(0, bytesMax), isWhole: all.length <= bytesMax };
  }
  const reader = body?.getReader();
  const parts: Uint8Array[] = [];
  let count = 0;
  for (;;) {
    const part = (await reader?.read())?.value;
    if (part === undefined) return { bytes: joined(parts, count), isWhole: true };
    parts.push(part);
    count += part.length;
    if (count <= bytesMax) continue;
    // It may have failed meanwhile, and is not wanted any more.
    reader?.cancel().catch(() => {});
    return { bytes: joined(parts, count).subarray(0, bytesMax), isWhole: false };
  }
}

function joined(parts: readonly Uint8Array[], count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
