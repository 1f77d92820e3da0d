import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packageName, packageVersion } from '../lib/package.ts';

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(new URL(`../${folder}package.json`, import.meta.url), 'utf8'));

test('name and version are those of the package', () => {
  const { name, version } = manifestOf('');
  expect([packageName, packageVersion()]).toEqual([name, version]);
});

test.each(['client/', 'simulator/'])('%s is of the same home, version and Node.js', (folder) => {
  const { homepage, bugs, repository, engines, version, license } = manifestOf('');
  expect(manifestOf(folder)).toMatchObject({
    bugs,
    engines,
    version,
    license,
    homepage: homepage.replace('#readme', `/tree/main/${folder}#readme`),
    repository: { ...repository, directory: folder.slice(0, -1) },
  });
});
