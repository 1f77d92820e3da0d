// Up to what size a commit gets a second opinion: what an honest one can be, because the packages that give it have no bounds of their
// own. Apart from second-opinion.ts, so that who only asks whether there will be one does not load them.

import type { Frame } from '../decode/frame.ts';

/** What the protocol allows, and bytes of a frame beside its archive: 200 ops have 40 KB. 2.9 MB of links took 218 ms to decode. */
const opsMax = 200;
const besideBytesMax = 128 * 1024;
/** Blocks of an archive, 9 us each; 45,000 fit into one. 200 ops in a repository of 15,000 records have 830. */
export const blocksMax = 4_096;

/** Whether a frame, which was read, may get one. Whoever reads its archive counts the blocks. */
export function isWithinLimits({ bytes, blocksStart, blocksEnd, opCount }: Frame): boolean {
  return opCount <= opsMax && bytes.length - (blocksEnd - blocksStart) <= besideBytesMax;
}
