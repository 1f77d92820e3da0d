// What a daemon's metrics say of refusals and ends, by reason, between one look and the next. Used by soaks.

/** What the metrics have of refusals and ends, by reason. */
const refusalNames =
  /^slipstream_(refusals|session_ends|sockets_refused|accepts_failed)_total(?:\{reason="(\w+)"\})? (\d+)/gm;

/** See the file comment. */
export class EndCounts {
  readonly #url: string;
  #before = new Map<string, number>();

  /** @param lines of its log, with where its metrics are. */
  constructor(lines: readonly string[]) {
    this.#url = `http://${/"metrics":"([^"]+)"/.exec(lines.join('\n'))?.[1]}/metrics`;
  }

  /** Refusals and ends since the call before. */
  async read(): Promise<{ subscribers: number; refused: Record<string, number> }> {
    const text = await (await fetch(this.#url)).text();
    const now = new Map<string, number>();
    for (const [, name, reason, value] of text.matchAll(refusalNames))
      now.set(reason === undefined ? name : `${name} ${reason}`, Number(value));
    const refused = Object.fromEntries(
      [...now]
        .map(([name, value]) => [name, value - (this.#before.get(name) ?? 0)] as const)
        .filter(([, value]) => value > 0),
    );
    this.#before = now;
    return { subscribers: Number(/^slipstream_subscribers (\d+)/m.exec(text)?.[1] ?? 0), refused };
  }
}
