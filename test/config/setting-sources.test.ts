import { describe, expect, test } from 'vitest';
import type { Setting } from '../../lib/config/setting.ts';
import { settingsCommand } from '../../lib/config/setting-sources.ts';
import { settingNames, settings } from '../../lib/config/settings.ts';

let text = '';
settingsCommand(new Map())
  .configureOutput({
    writeOut: (part) => {
      text += part;
    },
  })
  .outputHelp();
const flowing = text.replace(/\s+/g, ' ');

test('the help is as wide as the terminal, 100 columns at most', () => {
  const columns = Object.getOwnPropertyDescriptor(process.stdout, 'columns');
  const { getOutHelpWidth } = settingsCommand(new Map()).configureOutput();
  try {
    for (const [of, expected] of [
      [80, 80],
      [200, 100],
      [0, 100],
      [undefined, 100],
    ] as const) {
      Object.defineProperty(process.stdout, 'columns', { value: of, configurable: true });
      expect(getOutHelpWidth?.()).toBe(expected);
    }
  } finally {
    if (columns === undefined) Reflect.deleteProperty(process.stdout, 'columns');
    else Object.defineProperty(process.stdout, 'columns', columns);
  }
});

describe('--help', () => {
  test.each(settingNames)('shows %s with its words, default and variables', (name) => {
    const setting: Setting = settings[name];
    expect(text).toMatch(new RegExp(`^ {2}--${name} `, 'm'));
    expect(flowing).toContain(setting.help);
    expect(flowing).toContain(`Default: ${setting.defaultShown ?? setting.default}.`);
    expect(flowing).toContain(`Env: ${setting.env.join(', ')}.`);
    for (const alias of setting.aliases ?? []) expect(text).toContain(`--${alias}`);
    for (const choice of setting.choices ?? [])
      expect(text).toMatch(new RegExp(`--${name} .*\\b${choice}\\b`));
  });

  test('is at most 100 columns of printable ASCII, without trailing space', () => {
    for (const line of text.split('\n')) {
      expect(line.length, line).toBeLessThanOrEqual(100);
      expect(line).toMatch(/^[\x20-\x7e]*$/);
      expect(line).not.toMatch(/ $/);
    }
  });

  test('calls a value what it is', () => {
    expect(text).toContain('--cluster-name <NAME>');
    expect(text).toContain('--nats-creds <PATH>');
  });

  test('has examples that can be pasted', () => {
    expect(text).toMatch(/websocat 'ws:\/\/localhost:6008\/subscribe\?/);
  });
});
