// Frames of a relay, and the events that each wire has of them, derived from the frames alone: by decoders that are not ours for those
// of a made-up network, by hand for odd ones.

import { readCar } from '@atproto/repo';
import { decode } from '@ipld/dag-cbor';
import { decodeFrame } from '../../simulator/lib/frame-encoder.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { hex, integer, link, map, nullItem, text } from '../decode/raw-cbor.ts';
import {
  archiveOf,
  type Block,
  blockOf,
  commitBody,
  exampleDid,
  exampleRev,
  frameOf,
  opOf,
} from '../decode/raw-frames.ts';

export const nsid = 'network.bsky.jetstream.subscribeEvents';

/** What comes of one event, without its time. */
export interface Expected {
  /** On the first wire, without `time_us`; absent where it is not shown. */
  readonly v1?: object;
  /** The payload on the second wire, without `seq` and `time`. */
  readonly v2?: object;
}

interface Op {
  readonly action: string;
  readonly path: string;
  readonly cid: { toString(): string } | null;
}

/** The JSON of a value of the data model. */
function jsonOf(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return { $bytes: base64(value) };
  if (Array.isArray(value)) return value.map(jsonOf);
  if (Object.getPrototypeOf(value) !== Object.prototype) return { $link: String(value) };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonOf(item)]));
}

const base64 = (bytes: unknown): string =>
  Buffer.from(bytes as Uint8Array)
    .toString('base64')
    .replaceAll('=', '');

function commitOf(did: string, commit: object, isV1Only = false): Expected {
  const v1 = { did, kind: 'commit', commit };
  return isV1Only ? { v1 } : { v1, v2: { $type: `${nsid}#commit`, did, ...commit } };
}

async function expectedOf(bytes: Uint8Array): Promise<Expected[]> {
  const { header, body } = decodeFrame(bytes);
  const kind = header.t?.slice(1) as string;
  if (kind === 'commit') {
    const { blocks } = await readCar(body.blocks as Uint8Array);
    return (body.ops as Op[]).map(({ action, path, cid }) => {
      const [collection, rkey] = path.split('/');
      const made = cid && { record: jsonOf(decode(blocks.get(cid as never)!)), cid: String(cid) };
      return commitOf(String(body.repo), { rev: body.rev, operation: action, collection, rkey, ...made });
    });
  }
  const { blocks, ...rest } = body;
  const did = String(body.did);
  const inner = kind === 'sync' ? { ...rest, blocks: { $bytes: base64(blocks) } } : rest;
  const v2 = { $type: `${nsid}#${kind}`, did, [kind]: inner };
  return kind === 'sync' ? [{ v2 }] : [{ v1: { did, kind, [kind]: inner }, v2 }];
}

/** Frames with odd records between good ones, all in one commit each, and what is shown of them. */
function oddFrames(seq: number): { bytes: Uint8Array; expected: Expected[] }[] {
  const good = blockOf(map(['text', text('good')]));
  const goodRecord = { text: 'good' };
  const cases: [Buffer, object][] = [
    [map(['n', hex('fb3ff0000000000000')]), { n: 1 }],
    [nullItem, {}],
    [map(['n', link(hex('01710003616263'))]), { n: { $link: 'bafyqaa3bmjrq' } }],
    [map(['text', text(hex('61ff62'))]), { text: 'a\ufffdb' }],
    [map(['b', integer(1)], ['a', integer(2)]), { a: 2, b: 1 }],
    [map(['n', hex('1bffffffffffffffff')]), { n: -1 }],
  ];
  return cases.map(([cbor, record], at) => {
    const odd: Block = blockOf(cbor);
    const rkeys = ['one', 'two', '..'];
    const path = (rkey: string): string => `com.example.record/${rkey}${at}`;
    const ops = [
      opOf('create', path('one'), odd[0]),
      opOf('create', path('two'), good[0]),
      opOf('delete', 'com.example.record/..', null),
    ];
    const changes = { seq: integer(seq + at), rev: text(`3odd2222222${'abcdef'[at]}2`) };
    const bytes = frameOf('#commit', commitBody(ops, archiveOf([odd, good]), changes));
    const common = { rev: `3odd2222222${'abcdef'[at]}2`, collection: 'com.example.record' };
    const cidOf = ([cid]: Block): string => String(decode(link(cid)));
    const create = { ...common, operation: 'create' };
    return {
      bytes,
      expected: [
        commitOf(exampleDid, { ...create, rkey: `one${at}`, record, cid: cidOf(odd) }, true),
        commitOf(exampleDid, { ...create, rkey: `two${at}`, record: goodRecord, cid: cidOf(good) }),
        commitOf(exampleDid, { ...common, operation: 'delete', rkey: rkeys[2] }, true),
      ],
    };
  });
}

/** Frames with everything in them, and what each wire has of them, in order. */
export async function framesOfAllKinds(
  count: number,
): Promise<{ frames: Uint8Array[]; expected: Expected[] }> {
  const shares = { identity: 0.05, account: 0.05, sync: 0.1 };
  const network = new SyntheticNetwork({ seed: 'both wires', accounts: 12, firstSeq: 1, shares });
  const frames: Uint8Array[] = [];
  const expected: Expected[] = [];
  for (let made = 0; made < count; made++) {
    const { bytes } = await network.next();
    frames.push(bytes);
    expected.push(...(await expectedOf(bytes)));
  }
  for (const odd of oddFrames(count + 1)) {
    frames.push(odd.bytes);
    expected.push(...odd.expected);
  }
  if (exampleRev.length !== 13) throw new Error('not a revision');
  return { frames, expected };
}
