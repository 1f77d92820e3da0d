// How a walk through a tree ends early, and why. Thrown and caught within lib/verify: a walk is deep in itself when it finds
// that it cannot go on.

/** Why a walk ended early. */
export type TreeStop = 'missing_blocks' | 'bad_tree' | 'tree_too_deep' | 'tree_too_wide' | 'tree_too_large';

/** There is one for each reason: nobody reads where it was thrown, and making one takes longer than a small walk. */
export class TreeStopError extends Error {
  readonly reason: TreeStop;

  constructor(reason: TreeStop) {
    super(reason);
    this.reason = reason;
  }
}

export const missingBlocks = new TreeStopError('missing_blocks');
export const badTree = new TreeStopError('bad_tree');
export const tooDeep = new TreeStopError('tree_too_deep');
export const tooWide = new TreeStopError('tree_too_wide');
export const tooLarge = new TreeStopError('tree_too_large');
