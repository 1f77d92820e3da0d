import { expect, test } from 'vitest';
import { refuseFlagsOfNpm } from '../../../cmd/command/npm-flags.ts';
import { newCommand } from '../../../lib/config/command-line.ts';

const command = newCommand('x', '')
  .option('--event-ttl <T>')
  .option('-j, --json')
  .addCommand(newCommand('y', '').option('--from <T>'));

function refused(env: Record<string, string>): string {
  try {
    refuseFlagsOfNpm(command, env);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

test('a flag that npm took is told with what to write', () => {
  const start = { npm_lifecycle_event: 'start', npm_config_loglevel: 'error' };
  const tail = { npm_lifecycle_event: 'tail' };
  expect(refused({ ...start, npm_config_event_ttl: '48h' })).toBe(
    'npm took --event-ttl for itself: write "npm start -- --event-ttl 48h"',
  );
  expect(refused({ ...tail, npm_config_json: 'true' })).toContain('write "npm run tail -- --json"');
  expect(refused({ ...tail, npm_config_from: '1h' })).toContain('write "npm run tail -- --from 1h"');
  expect(refused(start)).toBe('');
  // Without npm such a variable is somebody else's.
  expect(refused({ npm_config_event_ttl: '48h' })).toBe('');
});
