// The longest paths that the protocol allows, in commits of a real repository, through the whole daemon.

import { expect, test } from 'vitest';
import { startNetwork } from '../../simulator/lib/simulator.ts';
import { Daemon } from '../support/daemon.ts';

const label = 'c'.repeat(63);
/** Of 317 bytes. */
const longCollection = [label, label, label, label, 'c'.repeat(61)].join('.');

test.each([
  [238, 'com.example.record'],
  [512, 'com.example.record'],
  [512, longCollection],
])('a record key of %d characters in %s', async (keyBytes, collection) => {
  const rkey = 'k'.repeat(keyBytes);
  await using network = await startNetwork({ accounts: 2, historyRecords: 0, firstSeq: 1 });
  await using daemon = await Daemon.start(['--ws-url', network.url]);
  await network.connected();
  const [{ did }, other] = network.accounts;
  const uri = `at://${did}/${collection}/${rkey}`;
  await network.commit([{ action: 'create', collection, rkey, record: { n: 1 } }]);
  await network.update(uri, { n: 2 });
  const like = await network.create('app.bsky.feed.like', { subject: { uri } }, other.did);
  await network.delete(like.uri);
  await network.delete(uri);

  const pull = async (query: string): Promise<string[]> => {
    const response = await fetch(`${daemon.httpUrl}/events.ndjson?${query}`);
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    return lines.map((line) => {
      const { operation, collection, rkey } = JSON.parse(line).commit;
      return `${operation} ${collection}/${rkey}`;
    });
  };
  const path = `${collection}/${rkey}`;
  await expect
    .poll(() => pull(`wantedDids=${did}`))
    .toEqual([`create ${path}`, `update ${path}`, `delete ${path}`]);
  const likePath = `app.bsky.feed.like/${like.rkey}`;
  expect(await pull(`wantedSubjects=${encodeURIComponent(uri)}`)).toEqual([
    `create ${likePath}`,
    `delete ${likePath}`,
  ]);
  expect(await pull(`wantedCollections=${collection}`)).toHaveLength(3);
});
