// Texts of settings made into values: durations as Go writes them, bytes with units, listen addresses, numbers. Pure and
// without names: which setting has which kind is settings.ts, where texts come from and what they mean together is
// config.ts. A text that does not fit is answered with a `Problem`, which says what to write instead.

import { isIP, isIPv6 } from 'node:net';
import type { ListenAddress } from '../listen-address.ts';
import type { Limits } from './setting.ts';

/** Why a text is not a value of its kind; `why` continues a sentence that starts with the text in quotes. */
export class Problem {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

/** Milliseconds of the units that Go's durations know. */
const durationUnitsMs = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Bytes of a unit, in lower case: powers of 1000, and of 1024 with an i. */
const byteUnits = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
]);

/** `1h30m`, `15s`, `1.5h`, `300ms` or `0`, in milliseconds. */
export function parseDuration(text: string): number | Problem {
  if (/^[+-]?0$/.test(text)) return 0;
  if (/^\d+(\.\d*)?$/.test(text))
    return new Problem(`has no unit: write "${text}h", "${text}m" or "${text}s"`);
  const days = /^(\d+)d$/.exec(text);
  if (days !== null)
    return new Problem(`has the unit d, which durations do not know: write "${Number(days[1]) * 24}h"`);
  if (text.startsWith('-')) return new Problem('is negative');
  const parts = /^\+?((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (parts === null) return new Problem('is not a duration: write one like "24h", "1h30m" or "300ms"');
  let totalMs = 0;
  for (const [, number, unit] of parts[1].matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    totalMs += Number(number) * durationUnitsMs.get(unit)!;
  }
  return totalMs;
}

/** `10GiB`, `500MB`, `1.5 GiB` or plain bytes, as a whole number of bytes. */
export function parseBytes(text: string): number | Problem {
  if (text.startsWith('-')) return new Problem('is negative');
  const parts = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text);
  if (parts === null) return new Problem('is not a number of bytes: write one like "10GiB" or "500MB"');
  const [, number, unit] = parts;
  const factor = byteUnits.get(unit.toLowerCase());
  if (factor === undefined) {
    const letter = /^[kmgt]$/i.test(unit) ? unit.toUpperCase() : 'G';
    return new Problem(`has the unit ${unit}: write "${number}${letter}iB" or "${number}${letter}B"`);
  }
  return Math.round(Number(number) * factor);
}

/** `1h`, `500MB`, `1h,500MB`, or `0` for nothing. */
export function parseLimits(text: string): Limits | Problem {
  const parts = parseList(text);
  if (parts instanceof Problem) return parts;
  if (text === '0') return { ms: undefined, bytes: undefined };
  let ms: number | undefined;
  let bytes: number | undefined;
  for (const part of parts) {
    if (part === '0') return new Problem('has a 0: write "0" alone for none');
    const isTime = /(?:\d|\.)(?:ns|us|µs|μs|ms|s|m|h|d)$/.test(part);
    if (!isTime && /^[\d.]+$/.test(part))
      return new Problem(`has ${part} without a unit: write one like "1h" or "500MB"`);
    const value = isTime ? parseDuration(part) : parseBytes(part);
    if (value instanceof Problem) return value;
    if ((isTime ? ms : bytes) !== undefined)
      return new Problem('has two of a kind: write one like "1h,500MB"');
    if (isTime) ms = value;
    else bytes = value;
  }
  return { ms, bytes };
}

/** NSIDs and prefixes, separated by commas. */
export function parseCollections(text: string): readonly string[] | Problem {
  const names = parseList(text);
  if (names instanceof Problem) return names;
  for (const name of names) {
    if (!/^[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+(?:\.\*)?$/.test(name))
      return new Problem(
        `has ${name}: write an NSID like "app.bsky.feed.post", or a prefix like "app.bsky.*"`,
      );
  }
  return names;
}

/** `on`, `off`, or names of hosts separated by commas. */
export function parseHosts(text: string): { readonly names: readonly string[] | undefined } | Problem {
  if (text === 'on') return { names: undefined };
  if (text === 'off') return { names: [] };
  const names = parseList(text.toLowerCase());
  if (names instanceof Problem) return names;
  for (const name of names) {
    if (!/^(?:\*\.)?(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*$/.test(name))
      return new Problem(`has ${name}: write "on", "off", or hosts like "example.com, *.example.org"`);
  }
  return { names };
}

/** A whole number that JavaScript holds exactly. */
export function parseInteger(text: string): number | Problem {
  if (!/^[+-]?\d+$/.test(text)) return new Problem('is not a whole number');
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : new Problem(`is beyond ${Number.MAX_SAFE_INTEGER}`);
}

/** A number with or without a fraction. */
export function parseFloat64(text: string): number | Problem {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return new Problem('is not a number');
  const value = Number(text);
  return Number.isFinite(value) ? value : new Problem('is too large a number');
}

/** The spellings of Go's flags: `true`, `false`, `1`, `0`, `t`, `f`. */
export function parseBoolean(text: string): boolean | Problem {
  if (/^(true|True|TRUE|t|T|1)$/.test(text)) return true;
  if (/^(false|False|FALSE|f|F|0)$/.test(text)) return false;
  return new Problem('is neither "true" nor "false"');
}

/** One of `choices`, exactly. */
export function parseChoice(text: string, choices: readonly string[]): string | Problem {
  return choices.includes(text) ? text : new Problem(`is none of ${choices.join(', ')}`);
}

/** An http: or https: URL without a password in it, since everybody is shown it. */
export function parseUrl(text: string): string | Problem {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return new Problem('is not an http or https URL: write one like "https://example.com"');
  if (url.username !== '' || url.password !== '')
    return new Problem('has a user name or password in it, and is shown to everybody');
  return url.href;
}

/** `:6008`, `127.0.0.1:6008`, `localhost:6008` or `[::1]:6008`. */
export function parseListenAddress(text: string): ListenAddress | Problem {
  if (/^\d+$/.test(text))
    return new Problem(`has no colon: write ":${text}" for port ${text} on every interface`);
  const parts = /^(?:\[([0-9a-f:.%a-z]+)\]|([a-z0-9._-]*)):(\d+)$/i.exec(text);
  if (parts === null) {
    if (/^[0-9a-f]*:[0-9a-f:.]*:\d+$/i.test(text))
      return new Problem('is IPv6 without brackets: write "[::1]:6008"');
    return new Problem(
      'is not an address to listen on: write one like ":6008", "127.0.0.1:6008" or "[::1]:6008"',
    );
  }
  const port = Number(parts[3]);
  if (port > 65_535) return new Problem('has a port beyond 65535');
  if (parts[1] !== undefined && !isIPv6(parts[1].replace(/%.*$/, '')))
    return new Problem('has no IPv6 address in its brackets');
  return { host: parts[1] || parts[2] || undefined, port };
}

/** Names separated by commas, spaces around them taken off. */
export function parseList(text: string): readonly string[] | Problem {
  const names = text.split(',').map((name) => name.trim());
  return names.includes('') ? new Problem('has an empty entry') : names;
}

/** IP addresses and CIDR ranges: `10.0.0.0/8, 192.0.2.1, fd00::/8`. */
export function parseNetworks(text: string): readonly string[] | Problem {
  const networks = parseList(text);
  if (networks instanceof Problem) return networks;
  for (const network of networks) {
    const [, address, bits] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
    const version = isIP(address ?? '');
    if (version === 0 || Number(bits ?? 0) > (version === 4 ? 32 : 128))
      return new Problem(
        `has ${network}, which is not an address or range: write one like "10.0.0.0/8" or "::1"`,
      );
  }
  return networks;
}

/** Text that is not empty. */
export function parseText(text: string): string | Problem {
  return text === '' ? new Problem('is empty') : text;
}
