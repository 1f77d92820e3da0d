// Logs as earlier versions wrote them: a log of today, without what they did not have.

import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ClassicLevel } from 'classic-level';
import { descriptionKey, parts, readBlockKey } from '../../lib/log/block-format.ts';

/** Keys of the coverage ledger begin with it. */
const coverageMark = 'c'.charCodeAt(0);

function withChecksum(value: Buffer): Buffer {
  value.writeUInt32LE(crc32(value.subarray(4)), 0);
  return value;
}

/** Takes from a log that is closed what a format did not have: 1 no subjects, 1 and 2 no coverage ledger, none sync events. */
export async function makeFormat(dataDir: string, format: 1 | 2 | 3): Promise<void> {
  const db = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'blocks'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  });
  for await (const [key, value] of db.iterator()) {
    if (format < 3 && key[0] === coverageMark) await db.del(key);
    if (format > 1) continue;
    const part = readBlockKey(key)?.part;
    if (part === parts.subjects || part === parts.subjectFilter) await db.del(key);
    if (part === parts.head) {
      value.writeUInt32LE(0, 52);
      await db.put(key, withChecksum(value));
    }
    if (part === parts.segment) {
      const count = value.readUInt32LE(4);
      value.writeUInt32LE(0, 12);
      const timesEnd = 24 + count * 8;
      const old = Buffer.concat([value.subarray(0, timesEnd), value.subarray(timesEnd + count * 16)]);
      await db.put(key, withChecksum(old));
    }
  }
  const description = JSON.parse((await db.get(descriptionKey as Buffer))?.toString() ?? '');
  if (description.format !== 6) throw new Error(`a log of format ${description.format}`);
  await db.put(descriptionKey as Buffer, Buffer.from(JSON.stringify({ ...description, format })));
  await db.close();
}
