// Whether a request for `/` comes from a browser: RFC 9110 section 12.5.1 as far as two media types need it. Everyone
// else gets the v1 wire's text.

/** Whether an `Accept` header names `text/html` itself and ranks it over plain text. Linear in its length. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  let html = 0;
  /** Of the most specific range that plain text is in. */
  let plain = 0;
  let plainRank = 0;
  for (const item of accept.split(',')) {
    const [range, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const rank = ranks.get(range) ?? 0;
    if (range === 'text/html') html = Math.max(html, quality(parameters));
    else if (rank > plainRank) [plainRank, plain] = [rank, quality(parameters)];
  }
  return html > plain;
}

/** Ranges that plain text is in, the more specific the higher. */
const ranks = new Map([
  ['*/*', 1],
  ['text/*', 2],
  ['text/plain', 3],
]);

function quality(parameters: readonly string[]): number {
  const text = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  if (text === undefined) return 1;
  return /^(0(\.[0-9]{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}
