// Waiting that ends: for a promise, or until there has been enough of it. What that means is the caller's to say.

/** Whether `work` has come to its end within so many milliseconds, well or not. Never rejects. */
export function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    const ended = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    work.then(ended, ended);
  });
}
