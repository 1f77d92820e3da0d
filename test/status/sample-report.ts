// A made-up report: a daemon that has been up for days, has seen everything there is to show, and follows a relay that
// does not exist.

import type { StatusReport } from '../../lib/status/status-report.ts';

const collections: readonly (readonly [string, number])[] = [
  ['app.bsky.feed.like', 301],
  ['app.bsky.feed.post', 92.4],
  ['app.bsky.graph.follow', 61.7],
  ['app.bsky.feed.repost', 49.2],
  ['app.bsky.graph.block', 12.8],
  ['app.bsky.graph.listitem', 6.44],
  ['app.bsky.actor.profile', 5.1],
  ['app.bsky.feed.threadgate', 3.92],
  ['com.example.music.play', 2.75],
  ['app.bsky.feed.postgate', 2.31],
  ['org.example.chess.move', 1.2],
  ['app.bsky.graph.list', 0.64],
  ['app.bsky.graph.starterpack', 0.31],
  ['net.example.recipe.review', 0.22],
  ['chat.bsky.actor.declaration', 0.19],
];

/** See the file comment. Never ahead of the clock that it is shown by. */
export function sampleReport(nowMs = Date.now()): StatusReport {
  const timeUs = nowMs * 1000;
  const history = Array.from(
    { length: 60 },
    (_, at) => 540 + 30 * Math.sin(at / 9) + 18 * Math.sin(at * 1.9),
  );
  return {
    timeUs,
    version: '0.1.0',
    aboutUrl: 'https://operator.example/firehose',
    uptimeMs: 3 * 86_400_000 + 4 * 3_600_000,
    workers: 2,
    memoryBytes: 231_000_000,
    memory: {
      residentBytes: 231_000_000,
      anonymousBytes: 190_000_000,
      heapBytes: 61_000_000,
      externalBytes: 72_000_000,
      databaseBytes: 24_000_000,
      socketBytes: 9_400_000,
      socketsOf: 'cgroup',
      totalBytes: 199_400_000,
      limitOf: 'cgroup_v2',
      limitBytes: 2_147_483_648,
      limitedBytes: 214_000_000,
    },
    events: {
      total: 148_203_994,
      perSecond: 552.6,
      history,
      kinds: [
        { name: 'commit', perSecond: 541.2 },
        { name: 'identity', perSecond: 4.18 },
        { name: 'account', perSecond: 3.92 },
      ],
      operations: [
        { name: 'create', perSecond: 498.7 },
        { name: 'update', perSecond: 9.33 },
        { name: 'delete', perSecond: 33.2 },
      ],
      collections: collections.map(([name, perSecond]) => ({ name, perSecond })),
      otherCollectionsPerSecond: 1.14,
    },
    upstream: {
      relays: ['relay.example.net', 'relay.example.org'],
      relay: 'relay.example.net',
      connectedSinceUs: timeUs - 40 * 3_600_000_000,
      failure: null,
      sequence: 21_730_441_208,
      lagMs: 214,
      stalled: null,
    },
    log: {
      firstTimeUs: timeUs - 72 * 3_600_000_000,
      lastTimeUs: timeUs - 4_000,
      events: 140_113_027,
      bytes: 51_282_367_000,
      retentionMs: 72 * 3_600_000,
      retentionBytes: 64 * 2 ** 30,
    },
    compression: { ratio: 0.37, compressor: 'node', dictionaryId: 53328, v2DictionaryId: 37694 },
    subscribers: {
      connected: 1284,
      live: 1279,
      catchingUp: 5,
      slowestLagMs: 5_417_000,
      eventsPerSecond: 318_204,
      bytesPerSecond: 121_900_000,
      events: 81_204_113_006,
      bytes: 31_120_407_113_006,
      refusals: [
        { reason: 'bad_collection', count: 214 },
        { reason: 'bad_handshake', count: 37 },
      ],
    },
    drops: {
      total: 412,
      reasons: [
        { reason: 'bad_record', count: 391 },
        { reason: 'too_big', count: 21 },
      ],
      last: [
        { timeUs: timeUs - 31_000_000, reason: 'bad_record', count: 2 },
        { timeUs: timeUs - 95_000_000, reason: 'too_big', count: 1 },
        { timeUs: timeUs - 312_000_000, reason: 'bad_record', count: 1 },
      ],
    },
    coverage: {
      last: [
        {
          reason: 'relay_changed',
          relay: 'relay.example.net',
          fromUs: timeUs - 40 * 3_600_000_000 - 9_000_000,
          toUs: timeUs - 40 * 3_600_000_000,
          count: 1,
          missing: true,
          repeated: true,
        },
        {
          reason: 'frame_dropped',
          relay: 'relay.example.org',
          fromUs: timeUs - 50 * 3_600_000_000 - 60_000_000,
          toUs: timeUs - 50 * 3_600_000_000,
          count: 14,
          missing: true,
          repeated: false,
        },
      ],
    },
    verification: {
      commits: 1_204_113,
      verdicts: [
        { verdict: 'verified', count: 1_180_020 },
        { verdict: 'anchored', count: 21_744 },
        { verdict: 'unchecked', count: 2_349 },
      ],
      reasons: [
        { reason: 'key_awaited', count: 2_112 },
        { reason: 'too_late', count: 237 },
      ],
      isUp: true,
      isArmed: true,
      waiting: 3,
      dropped: 2,
    },
  };
}
