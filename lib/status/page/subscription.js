// What is chosen in "Try it", judged as the server does, and as the address to connect to. Pure.

/**
 * @typedef {object} Choice
 * @property {string[]} collections
 * @property {string[]} dids
 * @property {string[]} subjects
 * @property {string[]} kinds those that are wanted; all and none are the same
 * @property {string[]} operations those that are wanted
 * @property {string} cursor empty for now; a time of a cursor, or how long ago, as 1h
 * @property {boolean} compress
 */

const nsid =
  /^[a-zA-Z](-*[a-zA-Z0-9]){0,62}(\.[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62})+\.[a-zA-Z][a-zA-Z0-9]{0,62}$/;
const did = /^did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]$/;
const recordPath = /^[\w:.~-]+\/[\w:.~-]+$/;
/** Most that the server takes. */
const collectionsMax = 100;

/**
 * The words of a text field: one a line, or with commas or spaces between them; each once.
 * @param {string} text
 */
export function listOf(text) {
  return [...new Set(text.split(/[\s,]+/).filter((word) => word !== ''))];
}

/**
 * What is wrong with a list of collections; empty when nothing is.
 * @param {string[]} collections
 */
export function collectionsProblem(collections) {
  if (collections.length > collectionsMax) return `At most ${collectionsMax}.`;
  const bad = collections.find((text) => !text.endsWith('.*') && !nsid.test(text));
  return bad === undefined ? '' : `“${bad}” is no collection, such as app.bsky.feed.post.`;
}

/**
 * What is wrong with a list of accounts; empty when nothing is.
 * @param {string[]} dids
 */
export function didsProblem(dids) {
  const bad = dids.find((text) => !did.test(text));
  return bad === undefined ? '' : `“${bad}” is no DID: they begin with did:plc: or did:web:.`;
}

/**
 * What is wrong with a list of subjects; empty when nothing is.
 * @param {string[]} subjects
 */
export function subjectsProblem(subjects) {
  const bad = subjects.find((text) => !isSubject(text));
  return bad === undefined ? '' : `“${bad}” is no DID, and no record such as at://did:plc:…/collection/key.`;
}

/** @param {string} text */
function isSubject(text) {
  if (!text.startsWith('at://')) return did.test(text);
  const slash = text.indexOf('/', 5);
  return did.test(text.slice(5, slash)) && recordPath.test(text.slice(slash + 1));
}

/**
 * What is wrong with a cursor; empty when nothing is.
 * @param {string} cursor
 */
export function cursorProblem(cursor) {
  return /^[0-9]{1,18}$/.test(cursor) ? '' : 'A whole number: 10 digits are seconds, 16 microseconds.';
}

/**
 * The address of the subscription.
 * @param {string} page the address of the page, which the server may have under a path of its own
 * @param {Choice} [choice] all without
 * @param {number} [dictionaryId] of the compressed copy, if that is wanted
 */
export function subscribeUrl(page, choice, dictionaryId) {
  return httpUrl('subscribe', page, choice, dictionaryId).replace(/^http/, 'ws');
}

/**
 * An address of the server over HTTP. It has no quote in it.
 * @param {string} path
 * @param {string} page
 * @param {Choice} [choice]
 * @param {number} [dictionaryId]
 */
export function httpUrl(path, page, choice, dictionaryId) {
  const href = new URL(path, page).href.replaceAll("'", '%27');
  if (choice === undefined) return href;
  const dictionary = dictionaryId === undefined ? [] : [['zstdDictionary', String(dictionaryId)]];
  const pairs = [
    ...choice.collections.map((value) => ['wantedCollections', value]),
    ...choice.dids.map((value) => ['wantedDids', value]),
    ...subset(choice.kinds).map((value) => ['wantedKinds', value]),
    ...subset(choice.operations).map((value) => ['wantedOperations', value]),
    ...choice.subjects.map((value) => ['wantedSubjects', value]),
    ...(choice.cursor === '' ? [] : [['cursor', choice.cursor]]),
    ...(choice.compress ? [['compress', 'true'], ...dictionary] : []),
  ];
  const query = pairs.map(([name, value]) => `${name}=${escaped(value)}`).join('&');
  return query === '' ? href : `${href}?${query}`;
}

/**
 * All three of three is no condition, and so is none.
 * @param {string[]} values
 */
export function subset(values) {
  return values.length === 3 ? [] : values;
}

/**
 * Percent escapes where they are needed, in a query and between single quotes; colons and slashes stay readable.
 * @param {string} value
 */
function escaped(value) {
  return encodeURIComponent(value).replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll("'", '%27');
}
