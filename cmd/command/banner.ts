// What a person sees first at a terminal: rows of a name and a text, addresses to click among them, and the command for a first look.
// Pure; what is in the rows is the daemon's and the demo's.

/** A name and what it is; rows with no text are left out. */
export type BannerRow = readonly [name: string, text: string];

const nameColumns = 11;

/** A title, and the rows below it; without a newline at its end. */
export function bannerText(title: string, rows: readonly BannerRow[]): string {
  const lines = rows
    .filter(([, text]) => text !== '')
    .map(([name, text]) => `  ${name.padEnd(nameColumns)}${text}`);
  return [title, ...lines].join('\n');
}

/**
 * `http://localhost:6008/subscribe`: an address of this machine that a person can click. @param listen as the listen settings
 * have it.
 */
export function localUrl(scheme: 'http' | 'ws', listen: string, path: string): string {
  return `${scheme}://${listen.replace(/^(0\.0\.0\.0|\[::\])?:/, 'localhost:')}${path}`;
}

/** The command as it is called from where this process was: installed, by npx, or by a script of a clone. */
export function commandFrom(env: Readonly<Record<string, string | undefined>>, packageName: string): string {
  const script = env.npm_lifecycle_event;
  if (script === undefined) return 'slipstream';
  // Not `npx slipstream`: outside of the clone that is another package.
  return script === 'npx' ? `npx ${packageName}` : 'npm start -s --';
}

/** The `tail` that shows posts of the server there, as it is called from where this process was. */
export function tailCommandFor(
  listen: string,
  env: Readonly<Record<string, string | undefined>>,
  packageName: string,
): string {
  const command = commandFrom(env, packageName);
  const call = command.startsWith('npm ') ? 'npm run -s tail --' : `${command} tail`;
  const url = localUrl('ws', listen, '');
  const isUsual = /\/\/(localhost|127\.0\.0\.1):6008$/.test(url);
  return `${call}${isUsual ? '' : ` ${url}`} -c app.bsky.feed.post`;
}
