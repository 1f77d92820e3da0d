import { expect, test } from 'vitest';
import {
  blockStream,
  checkServer,
  checkStream,
  identityOf,
  leaseStream,
  namesOf,
  type StreamConfig,
} from '../../lib/cluster/stream-layout.ts';

const names = namesOf('main');
const identity = { streamId: '0123456789abcdef', didHashKey: Buffer.from('0011223344556677', 'hex') };
const wanted = blockStream(names, { replicas: 3, streamBytes: 1e9 }, 86_400_000, identity);
/** As the server tells it. */
const found: StreamConfig = {
  ...wanted,
  ...{ max_consumers: -1, max_msgs: -1, max_msgs_per_subject: -1, max_msg_size: -1, compression: 'none' },
  ...{ sealed: false, mirror_direct: false, republish: { dest: names.tail, src: names.subject } },
};

test('what is made is safe, and says what all share', () => {
  expect(() => checkStream(found, wanted)).not.toThrow();
  expect(identityOf(found)).toEqual(identity);
  const lease = leaseStream(names, 3);
  expect(() => checkStream({ ...lease, allow_direct: undefined }, lease)).not.toThrow();
  expect(wanted).toMatchObject({ max_age: (86_400 + 3_600) * 1e9, max_bytes: 1e9, num_replicas: 3 });
  expect(blockStream(names, { replicas: 1, streamBytes: 1 }, 0, identity)).toMatchObject({ max_age: 0 });
});

test('how much and how long it keeps is the operator’s to change', () => {
  expect(() => checkStream({ ...found, max_age: 5, max_bytes: 1e6 }, wanted)).not.toThrow();
});

test.each([
  [{ storage: 'memory' }, 'storage'],
  [{ retention: 'interest' }, 'retention'],
  [{ discard: 'new' }, 'discard'],
  [{ subjects: ['slipstream.main.>'] }, 'subjects'],
  [{ deny_delete: false }, 'deny_delete'],
  [{ deny_purge: false }, 'deny_purge'],
  [{ allow_direct: false }, 'allow_direct'],
  [{ republish: undefined }, 'republish'],
  [{ mirror: { name: 'x' } }, 'mirror'],
  [{ sources: [{ name: 'x' }] }, 'sources'],
  [{ sealed: true }, 'sealed'],
  [{ no_ack: true }, 'no_ack'],
  [{ persist_mode: 'async' }, 'persist_mode'],
  [{ compression: 's2' }, 'compress'],
  [{ max_msgs: 1000 }, '1000 messages'],
  [{ max_msg_size: 1000 }, 'max_msg_size'],
  [{ max_bytes: -1 }, 'max_bytes'],
  [{ num_replicas: 1 }, 'replicas'],
] as const)('%j is not safe, and named', (change, named) => {
  expect(() => checkStream({ ...found, ...change }, wanted)).toThrow(
    expect.objectContaining({
      ...{ code: 'CLUSTER_ENGINE_UNSAFE', exitCode: 2, message: expect.stringContaining(named) },
    }),
  );
});

test('a stream of something else is refused', () => {
  expect(() => identityOf({ ...found, metadata: undefined })).toThrow('not made by Slipstream');
  expect(() => identityOf({ ...found, metadata: { slipstream_id: 'x' } })).toThrow('not made by Slipstream');
});

test.each([
  ['2.14.2', 8 << 20, 'version 2.14.2'],
  ['2.9.99', 8 << 20, 'version 2.9.99'],
  ['1.99.99', 8 << 20, 'version'],
  ['', 8 << 20, 'version'],
  ['2.15.3', 1 << 20, 'max_payload: 8MB'],
] as const)('a server %s that takes %d bytes is refused', (version, bytes, named) => {
  expect(() => checkServer(version, bytes)).toThrow(named);
});

test.each(['2.14.3', '2.14.10', '2.15.0', '2.15.3-beta.1', '3.0.0'])('a server %s is taken', (version) => {
  expect(() => checkServer(version, 8 << 20)).not.toThrow();
});
