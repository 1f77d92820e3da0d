// The oldest Node.js, as `engines` of package.json has it. Written as any Node.js since 14 understands.

/** For messages. */
export const supportedNode = '22.21 or later (of 24: 24.9 or later)';

/** @param {string} version as `process.versions.node` */
export function isSupportedNode(version) {
  const [major, minor] = version.split('.').map(Number);
  return (major === 22 && minor >= 21) || (major === 24 && minor >= 9) || major > 24;
}
