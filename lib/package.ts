// The name and version of the package: for `--version`, the banner, the status page and what relays are told. It owns where the
// package's description lies.
import { readFileSync } from 'node:fs';

/** What it is installed by; the command in it is `slipstream`. */
export const packageName = 'slipstream-firehose';

/** Version of the package: its description is one level above the sources and two above the built files. */
export function packageVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (name === packageName) return version;
    } catch {
      // Built files have no description at the first place.
    }
  }
  return 'unknown';
}
