import { describe, expect, test } from 'vitest';
import { type Setting, settingGroups } from '../../lib/config/setting.ts';
import { settingNames, settings } from '../../lib/config/settings.ts';

const rows: [string, Setting][] = settingNames.map((name) => [name, settings[name]]);

describe('the table', () => {
  test.each(rows)(
    '%s: our variable is the flag in capitals, every group is known, bounds are told',
    (name, setting) => {
      expect(setting.env[0]).toBe(`SLIPSTREAM_${name.toUpperCase().replaceAll('-', '_')}`);
      expect(settingGroups).toContain(setting.group);
      expect(setting.help).toMatch(/^[A-Za-z].*\.\)?$/s);
      expect(setting.range !== undefined).toBe(setting.min !== undefined || setting.max !== undefined);
      expect(setting.choices !== undefined).toBe(setting.kind === 'choice');
      if (setting.default === undefined) expect(setting.defaultShown).toBeDefined();
    },
  );

  test('no name stands for two settings', () => {
    const names = rows.flatMap(([name, { aliases = [], env }]) => [name, ...aliases, ...env]);
    expect(new Set(names).size).toBe(names.length);
  });

  test('holds every flag and variable of Jetstream v1', () => {
    const v1 = [
      'ws-url',
      'worker-count',
      'max-queue-size',
      'listen-addr',
      'metrics-listen-addr',
      'data-dir',
      'zstd-dictionary-path',
      'event-ttl',
      'max-sub-rate',
      'override-relay-cursor',
      'liveness-ttl',
    ];
    const flags = rows.flatMap(([name, { aliases = [] }]) => [name, ...aliases]);
    const variables = rows
      .flatMap(([, { env }]) => env)
      .filter((variable) => variable.startsWith('JETSTREAM_'));
    expect(flags).toEqual(expect.arrayContaining(v1));
    expect(variables.toSorted()).toEqual(
      v1.map((flag) => `JETSTREAM_${flag.toUpperCase().replaceAll('-', '_')}`).toSorted(),
    );
  });
});
