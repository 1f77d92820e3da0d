// A daemon that checks commits: verdicts on both wires and over HTTP, live, replayed and after a restart; what is refuted is told.

import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { ScriptedRelay } from '../ingest/scripted-relay.ts';
import { Daemon } from '../support/daemon.ts';
import { KeyDirectory } from '../verifier/key-directory.ts';
import { frameOfCommit, RandomRepo } from '../verify/repo-commits.ts';
import { nsid } from './wire-frames.ts';

async function subscriber(url: string) {
  const socket = new WebSocket(url);
  const messages: string[] = [];
  socket.on('message', (data: Buffer) => messages.push(`${data}`));
  await once(socket, 'open');
  return { messages, socket };
}

async function linesOf(daemon: Daemon, query: string): Promise<string[]> {
  const text = await (await fetch(`${daemon.httpUrl}/events.ndjson?cursor=0&${query}`)).text();
  return text.split('\n').filter((line) => line.startsWith('{'));
}

const didsOf = (lines: readonly string[]) => [
  ...new Set(lines.map((line) => JSON.parse(line).did as string)),
];

test.each(['observe', 'enforce'])(
  '%s: whoever asks for what is verified gets that, and all others everything',
  async (mode) => {
    await using directory = await KeyDirectory.listen();
    const connected = Promise.withResolvers<WebSocket>();
    await using relay = await ScriptedRelay.listen((socket) => connected.resolve(socket));
    const flags = ['--ws-url', relay.url, '--verify', mode, '--plc-url', directory.url];
    await using daemon = await Daemon.start(flags);
    const [honest, liar] = await Promise.all(
      ['honest', 'liar'].map((name) => RandomRepo.create(name, new SeededRandom(name, 'observed'), 3)),
    );
    // The account has never had the key that its commits are signed with.
    directory.keys.set(honest.did, honest.signingKey.did());
    directory.keys.set(liar.did, honest.signingKey.did());
    const all = await subscriber(daemon.url);
    const verified = await subscriber(`${daemon.url}?verified=true`);
    const v2 = await subscriber(`${daemon.httpUrl.replace('http', 'ws')}/xrpc/${nsid}?verified=true`);
    const upstream = await connected.promise;
    let seq = 0;
    let ops = 0;
    const send = async (repo: RandomRepo): Promise<void> => {
      const commit = await repo.commit(2);
      ops += commit.ops.length;
      upstream.send(frameOfCommit(repo.did, commit, { seq: ++seq }));
    };

    // The first commits do not wait for the key.
    await expect
      .poll(async () => {
        await send(honest);
        return verified.messages.length;
      })
      .toBeGreaterThan(0);
    await expect
      .poll(async () => {
        await send(liar);
        const { rows } = (await (await fetch(`${daemon.httpUrl}/coverage`)).json()) as {
          rows: { reason: string; detail?: string; relay?: string }[];
        };
        return rows.filter(({ reason }) => reason === 'refuted_commit');
      })
      .toContainEqual(
        expect.objectContaining({ detail: expect.stringContaining(`bad_signature ${liar.did} `) }),
      );
    await expect
      .poll(async () => {
        await send(honest);
        return v2.messages.length === verified.messages.length && v2.messages.length > 4;
      })
      .toBe(true);
    // All that was sent has come, on whatever way.
    await expect.poll(() => all.messages.length).toBe(ops);
    await expect
      .poll(async () => (await linesOf(daemon, 'verified=true')).length - verified.messages.length)
      .toBe(0);
    const before = await linesOf(daemon, 'verified=true');

    expect(didsOf(all.messages).toSorted()).toEqual([honest.did, liar.did].toSorted());
    expect(didsOf(verified.messages)).toEqual([honest.did]);
    expect(await linesOf(daemon, '')).toEqual(all.messages);
    expect(before).toEqual(verified.messages);
    for (const { socket } of [all, verified, v2]) socket.terminate();
    await daemon.service.stop();
    await daemon.restart(flags);
    expect(await linesOf(daemon, 'verified=true')).toEqual(before);
  },
);

test('without checks there are no verdicts, and no databases for them', async () => {
  const connected = Promise.withResolvers<WebSocket>();
  await using relay = await ScriptedRelay.listen((socket) => connected.resolve(socket));
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  const repo = await RandomRepo.create('plain', new SeededRandom('plain', 'observed'), 3);
  (await connected.promise).send(frameOfCommit(repo.did, await repo.commit(2)));
  await expect.poll(() => linesOf(daemon, '')).not.toEqual([]);
  expect(await linesOf(daemon, 'verified=true')).toEqual([]);
});
