import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';

interface Message {
  readonly did: string;
  readonly time_us: number;
  readonly commit?: {
    readonly operation: string;
    readonly collection: string;
    readonly rkey: string;
    readonly record?: unknown;
  };
}

const frames = 1500;

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(textsIn) : [];
}

/** What each event points at, worked out from the messages alone: DIDs and at-uris, an at-uri's DID too. */
function subjectsOf(messages: readonly Message[]): Set<string>[] {
  const records = new Map<string, Set<string>>();
  return messages.map(({ did, commit }) => {
    if (commit === undefined) return new Set();
    const path = `${did}/${commit.collection}/${commit.rkey}`;
    const texts = textsIn(commit.record).filter((text) => /^(at:\/\/)?did:[\w.:%-]+(\/|$)/.test(text));
    const subjects = new Set(texts.flatMap((text) => [text, text.replace(/^at:\/\//, '').split('/')[0]]));
    const found = commit.operation === 'delete' ? (records.get(path) ?? new Set()) : subjects;
    if (commit.operation === 'delete') records.delete(path);
    else records.set(path, found);
    return found;
  });
}

/** A subscription's messages so far, and its reports of progress. */
class Follower {
  readonly messages: Message[] = [];
  readonly socket: WebSocket;
  reports = 0;

  constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.on('message', (data: Buffer) => {
      const message = JSON.parse(`${data}`);
      if (message.kind === 'progress') this.reports++;
      else this.messages.push(message);
    });
  }
}

test.each([0, 1])('wanted subjects, live and replayed, with %d workers', async (workers) => {
  const network = new SyntheticNetwork({ seed: 'subjects', accounts: 30 });
  const pool = await FramePool.generate(network, frames);
  const relay = await RelayServer.listen({ source: pool });
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', String(workers)]);
  await expect.poll(() => relay.connections).toBe(1);
  const all = new Follower(daemon.url);
  await expect.poll(() => all.socket.readyState).toBe(WebSocket.OPEN);
  // Which subjects there are is known when everything has come once; then it comes again.
  await relay.publish(frames);
  await expect.poll(() => all.messages.length).toBe(pool.eventsPerRound);
  const counts = new Map<string, number>();
  for (const subject of subjectsOf(all.messages).flatMap((subjects) => [...subjects]))
    counts.set(subject, (counts.get(subject) ?? 0) + 1);
  const ranked = [...counts].sort(([, one], [, other]) => other - one).map(([subject]) => subject);
  const dids = ranked.filter((subject) => subject.startsWith('did:'));
  const uris = ranked.filter((subject) => subject.startsWith('at:') && subject.split('/').length === 5);
  const filters = [[dids[0]], [uris[0]], [dids[3], uris[1], uris[2]], dids.slice(5, 15), ['did:web:nobody']];
  const urlOf = (subjects: string[], more = ''): string =>
    `${daemon.url}?${subjects.map((subject) => `wantedSubjects=${encodeURIComponent(subject)}`).join('&')}${more}`;
  const live = filters.map((subjects) => new Follower(urlOf(subjects)));
  const likes = new Follower(urlOf([uris[0]], '&wantedCollections=app.bsky.feed.like'));
  const gone = new Follower(urlOf([dids[0]], '&wantedOperations=delete'));
  for (const { socket } of [...live, likes, gone])
    await expect.poll(() => socket.readyState).toBe(WebSocket.OPEN);
  await relay.publish(frames);
  await expect.poll(() => all.messages.length).toBe(2 * pool.eventsPerRound);

  const subjects = subjectsOf(all.messages);
  const expected = (wanted: string[], from = 0): Message[] =>
    all.messages.filter((_, at) => at >= from && wanted.some((subject) => subjects[at].has(subject)));
  for (const [at, { messages }] of live.entries()) {
    const secondRound = expected(filters[at], pool.eventsPerRound);
    await expect.poll(() => messages.length).toBe(secondRound.length);
    expect(messages).toEqual(secondRound);
    const replayed = new Follower(urlOf(filters[at], '&cursor=0&progress=true'));
    await expect.poll(() => replayed.reports).toBeGreaterThan(0);
    expect(replayed.messages).toEqual(expected(filters[at]));
    replayed.socket.close();
  }
  const ofSecondRound = (wanted: string[], passes: (commit: Message['commit']) => boolean): Message[] =>
    expected(wanted, pool.eventsPerRound).filter(({ commit }) => passes(commit));
  expect(likes.messages).toEqual(
    ofSecondRound([uris[0]], (commit) => commit?.collection === 'app.bsky.feed.like'),
  );
  const deleted = ofSecondRound([dids[0]], (commit) => commit?.operation === 'delete');
  expect(deleted.length).toBeGreaterThan(0);
  expect(gone.messages).toEqual(deleted);
  for (const { socket } of [...live, likes, gone, all]) socket.close();
  await relay.close();
});
