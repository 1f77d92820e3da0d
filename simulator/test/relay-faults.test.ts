import { describe, expect, it } from 'vitest';
import { parseFaults } from '../lib/relay-faults.ts';

describe('parseFaults', () => {
  it('reads names and numbers', () => {
    expect(parseFaults('dropAfterFrames=100,quiet,acceptDelayMs=5')).toEqual({
      dropAfterFrames: 100,
      quiet: true,
      acceptDelayMs: 5,
    });
    expect(parseFaults('quiet=0')).toEqual({ quiet: false });
  });

  it.each(['', 'unknown=1', 'quiet=yes', 'dropAfterFrames=-1', 'toString'])('refuses "%s"', (text) => {
    expect(() => parseFaults(text)).toThrow(expect.objectContaining({ code: 'SIMULATOR_FAULT_INVALID' }));
  });
});
