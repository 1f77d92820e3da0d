// The texts of `--help` and `--version`, made from the table of settings. It owns their layout: at most 100 columns, one
// paragraph a setting. The daemon's shell prints them.
import { readFileSync } from 'node:fs';
import { type Setting, type SettingKind, settingGroups, settingNames, settings } from './settings.ts';

const columns = 100;
/** Column where descriptions start. */
const indent = 34;

/** What stands for a value after a flag. */
const placeholders: Record<SettingKind, string> = {
  urls: 'URL',
  networks: 'ADDRESSES',
  paths: 'FILES',
  address: '[HOST]:PORT',
  duration: 'DURATION',
  bytes: 'BYTES',
  integer: 'N',
  float: 'N',
  boolean: '',
  choice: '',
  path: 'PATH',
};

const introduction = `The AT Protocol firehose as JSON over WebSocket, for every client of Jetstream v1.

Usage: slipstream [--NAME VALUE]...           the daemon
       slipstream tail                        events of any such server, for people and pipes
       slipstream inspect [verify|export]     what a log holds, whether it is sound, its events
       slipstream train-dictionary            a zstd dictionary made of real events

--NAME=VALUE and one dash work too. Every setting can come from the environment: a flag wins over
SLIPSTREAM_ variables, and JETSTREAM_ variables are those of Jetstream v1. DURATION is written as
in Go (24h, 1h30m, 300ms), BYTES with a unit (10GiB, 500MB).`;

const examples = `Examples
  slipstream --data-dir /var/lib/slipstream --event-ttl 72h --retention-bytes 40GiB
  slipstream --ws-url wss://bsky.network,wss://relay.example.org
  websocat 'ws://localhost:6008/subscribe?wantedCollections=app.bsky.feed.post'
  websocat "ws://localhost:6008/subscribe?cursor=$(date -d '1 hour ago' +%s)000000"`;

/** The whole of `--help`, without a newline at its end. */
export function helpText(): string {
  const groups = settingGroups.map((group) => {
    const names = settingNames.filter((name) => settings[name].group === group);
    const title = group === 'No effect' ? 'Without effect, taken because Jetstream v1 has them' : group;
    return [title, ...names.flatMap((name) => paragraph(name, settings[name]))].join('\n');
  });
  const other = [
    'Other',
    ...entry('--help, -h', ['This text.']),
    ...entry('--version, -v', ['The version.']),
  ];
  return [`${versionText()}. ${introduction}`, ...groups, other.join('\n'), examples].join('\n\n');
}

/** The whole of `--version`, without a newline at its end. */
export function versionText(): string {
  return `slipstream ${packageVersion()}`;
}

/** Version of the package: its description is two levels above the sources and three above the built files. */
export function packageVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (name === 'slipstream') return version;
    } catch {
      // Built files have no description at the first place.
    }
  }
  return 'unknown';
}

function paragraph(name: string, setting: Setting): string[] {
  const value = setting.choices?.join('|') ?? placeholders[setting.kind];
  const about = [`Default: ${setting.defaultShown ?? setting.default}.`];
  if (setting.aliases !== undefined)
    about.push(`Also: ${setting.aliases.map((alias) => `--${alias}`).join(', ')}.`);
  about.push(`Env: ${setting.env.join(', ')}.`);
  return entry(`--${name} ${value}`.trimEnd(), [setting.help, about.join(' ')]);
}

/** A flag and its texts beside it, or under it where the flag is too long. */
function entry(flag: string, texts: readonly string[]): string[] {
  const lines = texts
    .flatMap((text) => wrap(text, columns - indent))
    .map((line) => ' '.repeat(indent) + line);
  const head = `  ${flag}`;
  if (head.length + 2 > indent) return [head, ...lines];
  return [head.padEnd(indent) + lines[0].slice(indent), ...lines.slice(1)];
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
