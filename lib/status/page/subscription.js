// What is chosen in "Try it", judged as the server does, and as the address to connect to. Pure.

/** @typedef {'v1' | 'v2'} Wire */

/**
 * @typedef {object} Choice
 * @property {Wire} wire
 * @property {string[]} collections
 * @property {string[]} dids
 * @property {string[]} subjects
 * @property {string[]} kinds those that are wanted; all and none are the same
 * @property {string[]} operations those that are wanted
 * @property {string} cursor empty for now; a time of a cursor, or how long ago, as 1h
 * @property {boolean} compress
 * @property {number} nowMs by the server's clock
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
 * @param {Wire} [wire] the second looks at what stands in front of `.*`
 */
export function collectionsProblem(collections, wire) {
  if (collections.length > collectionsMax) return `At most ${collectionsMax}.`;
  const bad = collections.find((text) => {
    if (!text.endsWith('.*')) return !nsid.test(text);
    return wire === 'v2' && !nsid.test(`${text.slice(0, -1)}x`);
  });
  return bad === undefined ? '' : `“${bad}” is not a collection, such as app.bsky.feed.post.`;
}

/**
 * What is wrong with a list of accounts; empty when nothing is.
 * @param {string[]} dids
 */
export function didsProblem(dids) {
  const bad = dids.find((text) => !did.test(text));
  if (bad === undefined) return '';
  // Handles have a dot, and their DID is at an address of their own.
  const where = /^[\w-]+(\.[\w-]+)+$/.test(bad)
    ? ` The DID of a handle is at https://${bad}/.well-known/atproto-did.`
    : '';
  return `“${bad}” is not a DID: they begin with did:plc: or did:web:.${where}`;
}

/**
 * What is wrong with a list of subjects; empty when nothing is.
 * @param {string[]} subjects
 */
export function subjectsProblem(subjects) {
  const bad = subjects.find((text) => !isSubject(text));
  return bad === undefined
    ? ''
    : `“${bad}” is neither a DID nor a record such as at://did:plc:…/collection/key.`;
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

/** Where a wire is, and how it calls what is chosen. */
const wires = {
  v1: {
    path: 'subscribe',
    collections: 'wantedCollections',
    dids: 'wantedDids',
    kinds: 'wantedKinds',
    operations: 'wantedOperations',
    subjects: 'wantedSubjects',
  },
  v2: {
    path: 'xrpc/network.bsky.jetstream.subscribeEvents',
    collections: 'collections',
    dids: 'dids',
    kinds: 'kinds',
    operations: 'operations',
    subjects: 'subjects',
  },
};

/** The kinds of a wire; what comes over plain HTTP if it is asked for are those of the second. */
const kindsOf = {
  v1: ['commit', 'identity', 'account'],
  v2: ['commit', 'identity', 'account', 'sync'],
};

/**
 * The address of the subscription.
 * @param {string} page the address of the page, which the server may have under a path of its own
 * @param {Choice} [choice] all of the first wire without
 * @param {number} [dictionaryId] of the compressed copy, if that is wanted
 */
export function subscribeUrl(page, choice, dictionaryId) {
  const wire = wires[choice?.wire ?? 'v1'];
  const pairs = choice === undefined ? [] : [...filterPairs(choice, wire, wantedKinds(choice))];
  if (choice !== undefined && choice.cursor !== '') pairs.push(['cursor', cursorOf(choice)]);
  if (choice?.compress) {
    if (choice.wire === 'v1') pairs.push(['compress', 'true']);
    if (dictionaryId !== undefined) pairs.push(['zstdDictionary', String(dictionaryId)]);
  }
  return withQuery(serverUrl(wire.path, page), pairs).replace(/^http/, 'ws');
}

/**
 * The same events over plain HTTP, which goes by the names of the first wire.
 * @param {'events' | 'events.ndjson'} path
 * @param {string} page
 * @param {Choice} choice
 */
export function httpUrl(path, page, choice) {
  const kinds = wantedKinds(choice);
  const isAllOfSecond = choice.wire === 'v2' && kinds.length === 0;
  const pairs = filterPairs(choice, wires.v1, isAllOfSecond ? kindsOf.v2 : kinds);
  if (choice.cursor !== '') pairs.push(['cursor', choice.cursor]);
  return withQuery(serverUrl(path, page), pairs);
}

/**
 * Where a dictionary of a wire is.
 * @param {string} page
 * @param {Wire} wire
 * @param {number | undefined} id
 */
export function dictionaryUrl(page, wire, id) {
  if (wire === 'v1') return serverUrl(`dictionaries/${id ?? ''}`, page);
  const url = serverUrl('xrpc/network.bsky.jetstream.getZstdDictionary', page);
  return id === undefined ? url : `${url}?id=${id}`;
}

/** Kinds that are a condition: all and none are not. @param {Choice} choice */
export function wantedKinds({ kinds, wire }) {
  return kinds.length === kindsOf[wire].length ? [] : kinds;
}

/** The same of operations. @param {Choice} choice */
export function wantedOperations({ operations }) {
  return operations.length === 3 ? [] : operations;
}

const unitsMs = new Map([
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** How long ago a cursor is, if that is how it is written. @param {string} cursor */
export function agoMs(cursor) {
  const [, number, unit] = /^(\d+)([mh])$/.exec(cursor) ?? [];
  return number === undefined ? undefined : Number(number) * (unitsMs.get(unit) ?? 0);
}

/** A cursor of digits in microseconds, as the first wire reads it. @param {string} cursor */
export function microseconds(cursor) {
  if (cursor.length === 10) return `${cursor}000000`;
  return cursor.length === 13 ? `${cursor}000` : String(Number(cursor));
}

/** As the wire takes it: the second has numbers alone. @param {Choice} choice */
export function cursorOf({ wire, cursor, nowMs }) {
  if (wire === 'v1' || cursor === '') return cursor;
  const ago = agoMs(cursor);
  return ago === undefined ? microseconds(cursor) : String(Math.round(nowMs - ago) * 1000);
}

/**
 * @param {Choice} choice
 * @param {typeof wires.v1} names
 * @param {string[]} kinds
 * @returns {string[][]}
 */
function filterPairs(choice, names, kinds) {
  return [
    ...choice.collections.map((value) => [names.collections, value]),
    ...choice.dids.map((value) => [names.dids, value]),
    ...kinds.map((value) => [names.kinds, value]),
    ...wantedOperations(choice).map((value) => [names.operations, value]),
    ...choice.subjects.map((value) => [names.subjects, value]),
  ];
}

/** An address of the server. It has no quote in it. @param {string} path @param {string} page */
function serverUrl(path, page) {
  return new URL(path, page).href.replaceAll("'", '%27');
}

/** @param {string} url @param {string[][]} pairs */
function withQuery(url, pairs) {
  const query = pairs.map(([name, value]) => `${name}=${escaped(value)}`).join('&');
  return query === '' ? url : `${url}?${query}`;
}

/**
 * Percent escapes where they are needed, in a query and between single quotes; colons and slashes stay readable.
 * @param {string} value
 */
function escaped(value) {
  return encodeURIComponent(value).replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll("'", '%27');
}
