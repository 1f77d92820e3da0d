// What a setting is: its names, its kind, its bounds, its words. The table of all of them is settings.ts.

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
  /** How long, how many bytes, or both. */
  limits: Limits;
  /** NSIDs, and prefixes of them that end in `.*`. */
  collections: readonly string[];
  /** Names of hosts, and ends of names that begin with `*.`; none for `off`, undefined for `on`. */
  hosts: { readonly names: readonly string[] | undefined };
  integer: number;
  float: number;
  boolean: boolean;
  choice: string;
  path: string;
  /** Files, separated by commas or by naming the setting again. */
  paths: readonly string[];
}

export type SettingKind = keyof KindValues;

/** Headings of the help, in order. */
export const settingGroups = [
  'Upstream',
  'Listeners',
  'Storage',
  'Subscribers',
  'Cluster',
  'Compression',
  'Verification',
  'Logging',
  'No effect',
] as const;

/** One thing that can be set. */
export interface Setting {
  readonly kind: SettingKind;
  readonly group: (typeof settingGroups)[number];
  /** Environment variables, ours first. */
  readonly env: readonly string[];
  /** Text that is read when nothing is given; undefined: there is no value then. */
  readonly default?: string;
  /** What to show in place of `default`. */
  readonly defaultShown?: string;
  /** What stands for a value in the help, where the kind's is not the word. */
  readonly placeholder?: string;
  /** Sentences for the help. */
  readonly help: string;
  /** Further names of the flag. */
  readonly aliases?: readonly string[];
  /** For kind `choice`. */
  readonly choices?: readonly string[];
  /** Bounds, inclusive, in the unit of the value. With `zeroOrMin`, 0 is allowed below `min`. */
  readonly min?: number;
  readonly max?: number;
  readonly zeroOrMin?: boolean;
  /** Bounds as an operator would write them, for the message. */
  readonly range?: string;
}
