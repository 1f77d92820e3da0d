// Texts and numbers as a person at a terminal reads them. Pure.

/** Text for a terminal: on one line, cut to a length, without what a terminal would act on. */
export function printable(text: string, charactersMax: number): string {
  const cut = text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}~`;
  return cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}

/** `1,234,567`. */
export function grouped(number: number): string {
  return number.toLocaleString('en-US');
}
