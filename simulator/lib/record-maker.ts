// Shapes of records by collection, resembling what the network writes; an unknown collection gets a third-party shape
// that exercises the corners of the data model. Posts are in post-record.ts. Pure: all chance comes from the context.

import { contentLink, recordLink } from './frame-encoder.ts';
import { blob, makePost, phrase } from './post-record.ts';
import type { RecordContext, RecordValue } from './record-context.ts';
import { awkward, emoji } from './word-list.ts';

/** A record and the key it must have; without a key the caller makes a TID. */
export interface MadeRecord {
  readonly record: RecordValue;
  readonly rkey?: string;
}

type Maker = (context: RecordContext) => MadeRecord;

/** Integers at the edges of CBOR's widths and of what a double holds exactly. */
const edgeIntegers = [
  0,
  1,
  23,
  24,
  255,
  256,
  65_535,
  65_536,
  4_294_967_295,
  4_294_967_296,
  Number.MAX_SAFE_INTEGER,
  -1,
  -24,
  -25,
  -257,
  -65_537,
  -4_294_967_297,
  Number.MIN_SAFE_INTEGER,
];

function toSubject(type: string): Maker {
  return (context) => ({
    record: { $type: type, subject: context.somePost(), createdAt: context.createdAt },
  });
}

function toAccount(type: string): Maker {
  return (context) => ({
    record: { $type: type, subject: context.someDid(), createdAt: context.createdAt },
  });
}

function makeLike(context: RecordContext): MadeRecord {
  const record: RecordValue = {
    $type: 'app.bsky.feed.like',
    subject: context.somePost(),
    createdAt: context.createdAt,
  };
  if (context.random.chance(0.1)) {
    record.via = context.somePost();
  }
  return { record };
}

function makeProfile(context: RecordContext): MadeRecord {
  const { random } = context;
  const record: RecordValue = {
    $type: 'app.bsky.actor.profile',
    displayName: phrase(random, random.between(0, 3)) + (random.chance(0.3) ? random.pick(emoji) : ''),
    description: phrase(random, random.between(0, 25)),
    createdAt: context.createdAt,
  };
  if (random.chance(0.8)) {
    record.avatar = blob(random, 'image/png', 990_000);
  }
  if (random.chance(0.4)) {
    record.banner = blob(random, 'image/jpeg', 990_000);
  }
  if (random.chance(0.2)) {
    record.pinnedPost = context.somePost();
  }
  return { record, rkey: 'self' };
}

function ownList(context: RecordContext): string {
  return `at://${context.did}/app.bsky.graph.list/${context.random.text('234567abcdefghij', 13)}`;
}

/** A gate lives beside a post of its author, under the same key. */
function makeGate(type: string, rules: string): Maker {
  return (context) => {
    const rkey = context.ownPostKey();
    const post = `at://${context.did}/app.bsky.feed.post/${rkey ?? '3aaaaaaaaaaaa'}`;
    const record = { $type: type, post, [rules]: [], createdAt: context.createdAt };
    return rkey === undefined ? { record } : { record, rkey };
  };
}

function makeList(context: RecordContext): MadeRecord {
  const { random, createdAt } = context;
  const purpose = random.chance(0.5) ? 'app.bsky.graph.defs#modlist' : 'app.bsky.graph.defs#curatelist';
  const name = phrase(random, 2);
  return { record: { $type: 'app.bsky.graph.list', name, purpose, createdAt, description: null } };
}

function makeListItem(context: RecordContext): MadeRecord {
  const { createdAt } = context;
  const [list, subject] = [ownList(context), context.someDid()];
  return { record: { $type: 'app.bsky.graph.listitem', list, subject, createdAt } };
}

/** Nested, with every type of the data model: what records of other applications bring. */
function makeThirdParty(collection: string, context: RecordContext): MadeRecord {
  const { random } = context;
  const record: RecordValue = {
    $type: collection,
    createdAt: context.createdAt,
    title: phrase(random, random.between(1, 8)),
    count: random.pick(edgeIntegers),
    flags: { done: random.chance(0.5), draft: random.chance(0.1), parent: null },
    items: Array.from({ length: random.int(6) }, (_, index) => ({
      index,
      name: phrase(random, 2),
      score: random.int(100_000),
      seen: [],
    })),
  };
  if (random.chance(0.3)) {
    record.note = random.pick(awkward);
    record[`key ${random.pick(['a', 'é', '😀', 'b!', 'b', '"q"', '<', ''])}`] = {};
  }
  if (random.chance(0.2)) {
    record.digest = random.bytes(random.pick([0, 1, 2, 3, 32, 200]));
  }
  if (random.chance(0.2)) {
    record.source = random.chance(0.5) ? recordLink(random.bytes(32)) : contentLink(random.bytes(32));
  }
  if (random.chance(0.1)) {
    record.cover = blob(random, 'image/webp', 200_000);
  }
  const keyed = random.chance(0.1);
  return keyed ? { record, rkey: random.pick(['self', 'main', 'v1.0', 'a_b~c-d:e']) } : { record };
}

const makers: Readonly<Record<string, Maker>> = {
  'app.bsky.feed.like': makeLike,
  'app.bsky.feed.post': (context) => ({ record: makePost(context) }),
  'app.bsky.feed.repost': toSubject('app.bsky.feed.repost'),
  'app.bsky.graph.follow': toAccount('app.bsky.graph.follow'),
  'app.bsky.graph.block': toAccount('app.bsky.graph.block'),
  'app.bsky.actor.profile': makeProfile,
  'app.bsky.feed.threadgate': makeGate('app.bsky.feed.threadgate', 'allow'),
  'app.bsky.feed.postgate': makeGate('app.bsky.feed.postgate', 'embeddingRules'),
  'app.bsky.graph.list': makeList,
  'app.bsky.graph.listitem': makeListItem,
  'chat.bsky.actor.declaration': () => ({
    record: { $type: 'chat.bsky.actor.declaration', allowIncoming: 'following' },
    rkey: 'self',
  }),
};

/** A record of a collection. */
export function makeRecord(collection: string, context: RecordContext): MadeRecord {
  const make = makers[collection];
  return make === undefined ? makeThirdParty(collection, context) : make(context);
}
