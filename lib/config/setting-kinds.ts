// The kinds of settings, and what each is as a value.

import type { ListenAddress } from '../listen-address.ts';

/** Of what is kept: an age in milliseconds, and bytes; undefined where nothing is said. Both: nothing is kept. */
export interface Limits {
  readonly ms: number | undefined;
  readonly bytes: number | undefined;
}

/** What a setting's text is made into; setting-value.ts reads each. */
export interface KindValues {
  /** URLs, separated by commas or by naming the setting again; kept as written. */
  urls: readonly string[];
  /** IP addresses and CIDR ranges, separated likewise; kept as written. */
  networks: readonly string[];
  /** One http: or https: URL, as `URL` writes it. */
  url: string;
  address: ListenAddress;
  /** Milliseconds. */
  duration: number;
  bytes: number;
  /** How long, how many bytes, or both: {@link Limits}. */
  limits: Limits;
  /** NSIDs, and prefixes of them that end in `.*`. */
  collections: readonly string[];
  integer: number;
  float: number;
  boolean: boolean;
  choice: string;
  path: string;
  /** Files, separated by commas or by naming the setting again. */
  paths: readonly string[];
}

export type SettingKind = keyof KindValues;
