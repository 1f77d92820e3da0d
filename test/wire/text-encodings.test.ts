// Lines and server-sent events made of blocks.

import { describe, expect, it } from 'vitest';
import { textEncodings } from '../../lib/wire/text-encodings.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

describe.each([
  ['ndjson', textEncodings.ndjson, (json: string) => `${json}\n`],
  [
    'server-sent events',
    textEncodings.serverSentEvents,
    (json: string) => `id: ${(JSON.parse(json) as { time_us: number }).time_us}\ndata: ${json}\n\n`,
  ],
])('%s', (_name, encoding, textOf) => {
  it('holds each event of a block, unchanged, and ends where it says', () => {
    const log = new SampleLog(seededRandom(11));
    for (const count of [0, 1, 30, 300]) {
      const before = log.events.length;
      const { index, json } = log.block(count);
      const { bytes, ends } = encoding.recode!(index, json);
      const texts = log.events.slice(before).map((event) => textOf(JSON.stringify(event)));
      expect(Buffer.from(bytes).toString()).toBe(texts.join(''));
      let end = 0;
      expect([...ends]).toEqual(
        texts.map((text) => {
          end += text.length;
          return end;
        }),
      );
    }
  });

  it('takes no more memory than it has room for', () => {
    const { index, json } = new SampleLog(seededRandom(12), { textBytesMax: 0 }).block(300);
    const { bytes } = encoding.recode!(index, json);
    expect(bytes.buffer.byteLength).toBeLessThanOrEqual(json.length + 30 * index.count);
  });
});
