import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { packageName, packageVersion } from '../lib/package.ts';

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(new URL(`../${folder}package.json`, import.meta.url), 'utf8'));

test('name and version are those of the package', () => {
  const { name, version } = manifestOf('');
  expect([packageName, packageVersion()]).toEqual([name, version]);
});

test.each(['client/', 'simulator/'])('%s is of the same home and version', (folder) => {
  const { homepage, bugs, repository, version, license } = manifestOf('');
  expect(manifestOf(folder)).toMatchObject({
    bugs,
    version,
    license,
    homepage: homepage.replace('#readme', `/tree/main/${folder}#readme`),
    repository: { ...repository, directory: folder.slice(0, -1) },
  });
});

test('one command says where all of it is at home', () => {
  const root = new URL('..', import.meta.url);
  const text = readFileSync(new URL('CONTRIBUTING.md', root), 'utf8');
  const [, files] = /`sed -i 's#github\.com\/OWNER\/#[^']*' ([^`]+)`/.exec(text) as RegExpExecArray;
  const all = globSync(
    '{*,{bin,bench,client,cmd,deploy,docs,lexicons,lib,simulator}/**/*.{ts,js,json,md,html,yaml,yml,service}}',
    {
      cwd: root,
      exclude: ['**/node_modules/**', '**/dist/**'],
      withFileTypes: true,
    },
  ).filter((entry) => entry.isFile());
  const naming = all
    .map(({ parentPath, name }) => `${parentPath}/${name}`.slice(root.pathname.length))
    .filter(
      (path) => path !== 'CONTRIBUTING.md' && readFileSync(new URL(path, root), 'utf8').includes('/OWNER/'),
    );
  // What keeps a package with the placeholder from being published is in the scripts of those that are.
  expect(naming.sort()).toEqual(files.trim().split(/\s+/).sort());
});

test.each(['client', 'simulator'])('the README of the %s leads nowhere outside of its package', (folder) => {
  const text = readFileSync(new URL(`../${folder}/README.md`, import.meta.url), 'utf8');
  expect(text.match(/\]\(\.\.\/[^)]*\)/g)).toBeNull();
});
