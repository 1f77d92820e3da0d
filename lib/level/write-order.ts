// The writes to a database one after the other, and none behind one that has failed: LevelDB leaves half a record in its log then, and
// what it writes behind it is lost when the log is read, though it was said to be stored. Two of our own can be under way at a time: an
// append, and a deletion in the background.

/** What writes. */
const writes = ['put', 'del', 'batch', 'clear'] as const;

type Method = (...args: unknown[]) => Promise<unknown>;

/** What it takes of a database. */
export type Writable = Record<(typeof writes)[number] | 'close', unknown>;

/** Changes the methods of a database. What comes behind a failed write fails like it, until the database is opened again. */
export function orderWrites(db: Writable): void {
  let last: Promise<unknown> = Promise.resolve();
  let failure: { readonly error: unknown } | undefined;
  for (const name of writes) {
    const write = (db[name] as Method).bind(db);
    const inTurn: Method = (...args) => {
      const turn = last.then(() => {
        if (failure !== undefined) throw failure.error;
        return write(...args);
      });
      last = turn.catch((error: unknown) => {
        failure ??= { error };
      });
      return turn;
    };
    db[name] = inTurn;
  }
  const close = (db.close as Method).bind(db);
  db.close = async () => {
    await last;
    return close();
  };
}
