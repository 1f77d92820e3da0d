// What the baseline makes of a frame: the same events, with the ecosystem's packages used as their documentation shows.
// Nothing is tuned beyond that and nothing is made slow on purpose. baseline-server.ts and figure-stages.ts call it.

import { type BlockMap, readCar } from '@atproto/repo';
import { compressUsingDict, createCCtx, init } from '@bokuweb/zstd-wasm';
import { decode, encode } from '@ipld/dag-cbor';

/** What `@ipld/dag-cbor` makes of a link, as `@atproto/repo` takes it. */
type Link = Parameters<BlockMap['get']>[0];

interface Op {
  readonly action: 'create' | 'update' | 'delete';
  readonly path: string;
  readonly cid: Link | null;
}

/** A message of the stream, decoded. Its fields are those of its type: plain code does not check them. */
export interface Message {
  readonly type: string;
  readonly body: {
    readonly repo: string;
    readonly rev: string;
    readonly tooBig: boolean;
    readonly blocks: Uint8Array;
    readonly ops: readonly Op[];
    readonly did: string;
    readonly seq: number;
    readonly time: string;
    readonly handle?: string;
    readonly active: boolean;
    readonly status?: string;
  };
}

/** An event without its time. */
export interface PlainEvent {
  readonly did: string;
  readonly kind: 'commit' | 'identity' | 'account';
  /** Empty when it has none. */
  readonly collection: string;
  /** Value of the field that is named like `kind`. */
  readonly content: unknown;
}

/** The package cannot say where a value ends, but there are only so many headers. */
const headers = ['#commit', '#identity', '#account', '#sync', '#info'].map((type) => ({
  type,
  bytes: Buffer.from(encode({ op: 1, t: type })),
}));

/** Takes a frame apart; undefined for a type that is not known. */
export function decodeMessage(frame: Uint8Array): Message | undefined {
  const header = headers.find(({ bytes }) => bytes.equals(frame.subarray(0, bytes.length)));
  if (header === undefined) return undefined;
  return { type: header.type, body: decode(frame.subarray(header.bytes.length)) };
}

/** The blocks of a commit, each checked against its CID. */
export async function readBlocks({ body }: Message): ReturnType<typeof readCar> {
  return await readCar(body.blocks);
}

/** The record of an op, in the form that JSON has for it. */
export function recordOf(bytes: Uint8Array): unknown {
  return toJson(decode(bytes));
}

/** The events of a frame. */
export async function eventsOf(frame: Uint8Array): Promise<PlainEvent[]> {
  const message = decodeMessage(frame);
  if (message === undefined) return [];
  const { type, body } = message;
  if (type === '#identity' || type === '#account') {
    const { did, handle, active, status, seq, time } = body;
    const kind = type === '#identity' ? 'identity' : 'account';
    const content = kind === 'identity' ? { did, handle, seq, time } : { active, did, seq, status, time };
    return [{ did, kind, collection: '', content }];
  }
  if (type !== '#commit' || body.tooBig) return [];
  const { blocks } = await readBlocks(message);
  return body.ops.map(({ action, path, cid }): PlainEvent => {
    const [collection, rkey] = path.split('/');
    const place = { rev: body.rev, operation: action, collection, rkey };
    const bytes = cid === null ? undefined : blocks.get(cid);
    const record = bytes === undefined ? {} : { record: recordOf(bytes), cid: cid?.toString() };
    return { did: body.repo, kind: 'commit', collection, content: { ...place, ...record } };
  });
}

/** The JSON of an event. */
export function jsonOf({ did, kind, content }: PlainEvent, timeUs: number): string {
  return JSON.stringify({ did, time_us: timeUs, kind, [kind]: content });
}

function toJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Uint8Array)
    return { $bytes: Buffer.from(value).toString('base64').replace(/=+$/, '') };
  if (typeof (value as { toV1?: unknown }).toV1 === 'function') return { $link: String(value) };
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]));
}

/** The simple API of `@bokuweb/zstd-wasm` at its default level. @param isLoaded the module has been set up already. */
export async function plainCompressor(
  dictionary: Uint8Array,
  isLoaded = false,
): Promise<(json: Uint8Array) => Uint8Array> {
  if (!isLoaded) await init();
  const context = createCCtx();
  return (json) => compressUsingDict(context, json, dictionary, 3);
}
