// The engine, by NATS JetStream's API: requests in JSON on subjects, answers read here into the outcomes of engine.ts. The only importer
// of the NATS client, and loaded only by nodes of a cluster. It decides nothing about what an outcome means.

import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  headers,
  type Msg,
  type NatsConnection,
} from '@nats-io/transport-node';
import { BatchReader } from './batch-reader.ts';
import { unavailable, unsafe } from './cluster-errors.ts';
import type {
  AppendOutcome,
  BatchEnd,
  Engine,
  LeaseStore,
  LeaseWrite,
  StoredMessage,
  StreamMessage,
  StreamState,
  UnsureReason,
} from './engine.ts';
import { natsAccess, refusalOf, withoutUser } from './nats-access.ts';
import {
  type ClusterSettings,
  checkServer,
  namesOf,
  type StreamConfig,
  type StreamNames,
} from './stream-layout.ts';

/** For anything but an append. */
const requestMs = 2_000;
/** Dialling: a server that shuts down can hang in its greeting. */
const dialMs = 1_000;
const redialMs = 250;
/** A dead link is noticed after two of these. */
const pingMs = 2_000;

/** Codes of JetStream's errors. */
const codes = {
  noMessage: 10037,
  noStream: 10059,
  wrongLast: [10071, 10164],
  inProcess: [10158],
  noLeader: [10008, 10009],
  storage: [10023, 10028, 10047, 10076, 10077],
};

/** An answer of JetStream's. */
interface ApiAnswer {
  readonly error?: { readonly err_code?: number; readonly description?: string };
  readonly [field: string]: unknown;
}

/** See the file comment. Create it with {@link NatsEngine.open}. */
export class NatsEngine implements Engine {
  readonly lease: LeaseStore;
  reconnects = 0;
  isConnected = true;
  /** What the servers said when a stream could not be made, in brackets; empty when they said nothing. */
  refusal = '';
  readonly #connection: NatsConnection;
  readonly #names: StreamNames;
  readonly #batches: BatchReader;
  /** Resolves when the connection is made anew. */
  #reconnected = Promise.withResolvers<'reconnected'>();

  private constructor(connection: NatsConnection, names: StreamNames) {
    this.#connection = connection;
    this.#names = names;
    this.#batches = new BatchReader(connection, names.stream);
    this.lease = {
      write: (value, revision) => this.#writeLease(value, revision),
      read: () => this.#readLease(),
      watch: (heard) =>
        this.#subscribe(names.leaseSubject, ({ data }) => heard(Buffer.from(data).toString())),
    };
    void this.#watchConnection();
  }

  /**
   * Connects, and waits for a server that answers.
   * @throws CodedError `CLUSTER_ENGINE_UNAVAILABLE` after `waitMs`, `CLUSTER_ENGINE_UNSAFE`.
   */
  static async open(settings: ClusterSettings, waitMs: number): Promise<NatsEngine> {
    const options = await connectionOptions(settings);
    const deadlineMs = performance.now() + waitMs;
    for (;;) {
      try {
        const connection = await connect(options);
        const { version = '', max_payload: payloadBytesMax = 0 } = connection.info ?? {};
        try {
          checkServer(version, payloadBytesMax);
        } catch (error) {
          await connection.close();
          throw error;
        }
        return new NatsEngine(connection, namesOf(settings.name));
      } catch (error) {
        if (!(error instanceof Error) || error.name === 'CodedError') throw error;
        const refusal = refusalOf(error);
        if (refusal !== undefined) throw unsafe(refusal);
        if (performance.now() > deadlineMs)
          throw unavailable(
            `no NATS server of ${settings.urls.map(withoutUser).join(', ')} answers (${error.message})`,
          );
        await new Promise((resolve) => setTimeout(resolve, redialMs));
      }
    }
  }

  get messageBytesMax(): number {
    return this.#connection.info?.max_payload ?? 0;
  }

  async append(
    { id, bytes }: StreamMessage,
    lastSequence: number,
    timeoutMs: number,
  ): Promise<AppendOutcome> {
    const { stream, subject } = this.#names;
    const expected = headers();
    expected.set('Nats-Msg-Id', id);
    expected.set('Nats-Expected-Stream', stream);
    expected.set('Nats-Expected-Last-Sequence', String(lastSequence));
    const answer = await this.#publish(subject, bytes, expected, timeoutMs);
    if (typeof answer === 'string') return { kind: 'unsure', why: answer };
    const { error, seq, duplicate } = answer;
    if (error === undefined && typeof seq === 'number')
      return { kind: 'stored', sequence: seq, isDuplicate: duplicate === true };
    if (codes.wrongLast.includes(error?.err_code ?? 0)) return { kind: 'refused' };
    return { kind: 'unsure', why: reasonOf(error?.err_code ?? 0) };
  }

  async state(): Promise<StreamState | undefined> {
    const answer = await this.#ask(`STREAM.INFO.${this.#names.stream}`);
    if (answer === undefined || answer.error !== undefined) return undefined;
    const { first_seq, last_seq } = Object(answer.state) as Record<string, unknown>;
    if (typeof first_seq !== 'number' || typeof last_seq !== 'number') return undefined;
    const firstSequence = Math.max(1, first_seq);
    return { firstSequence, lastSequence: last_seq, timeMs: Date.parse(String(answer.ts)) };
  }

  async message(sequence: number): Promise<StoredMessage | null | undefined> {
    const { stream } = this.#names;
    const answer = await this.#ask(`STREAM.MSG.GET.${stream}`, { seq: sequence });
    if (answer?.error?.err_code === codes.noMessage) return null;
    if (answer === undefined || answer.error !== undefined) return undefined;
    const { data = '', hdrs = '' } = Object(answer.message) as { data?: string; hdrs?: string };
    const id = /^Nats-Msg-Id: *(.*?)\r?$/m.exec(Buffer.from(hdrs, 'base64').toString())?.[1] ?? '';
    return { sequence, id, bytes: Buffer.from(data, 'base64') };
  }

  batch(sequence: number, bytesMax: number, take: (message: StoredMessage) => void): Promise<BatchEnd> {
    return this.#batches.read(sequence, bytesMax, take);
  }

  follow(heard: (message: StoredMessage) => void): () => void {
    return this.#subscribe(this.#names.tail, (message) => {
      const sequence = Number(message.headers?.get('Nats-Sequence'));
      const id = message.headers?.get('Nats-Msg-Id') ?? '';
      if (Number.isSafeInteger(sequence) && sequence > 0) heard({ sequence, id, bytes: message.data });
    });
  }

  tell(text: string): void {
    // What is published without a connection is thrown away at the next one.
    if (this.isConnected && !this.#connection.isClosed()) this.#connection.publish(this.#names.node, text);
  }

  hear(heard: (text: string) => void): () => void {
    return this.#subscribe(this.#names.node, ({ data }) => heard(Buffer.from(data).toString()));
  }

  hop(): void {
    void this.#connection.reconnect().catch(() => {});
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Settings of a stream; `null` when there is none, undefined when nobody answers. */
  async streamConfig(name: string): Promise<StreamConfig | null | undefined> {
    const answer = await this.#ask(`STREAM.INFO.${name}`);
    if (answer?.error?.err_code === codes.noStream) return null;
    return answer === undefined || answer.error !== undefined
      ? undefined
      : (Object(answer.config) as StreamConfig);
  }

  /** Makes a stream. Whether the servers say that they have; servers that have just started do not know each other yet. */
  async createStream(config: StreamConfig): Promise<boolean> {
    const answer = await this.#ask(`STREAM.CREATE.${config.name}`, config);
    this.refusal = answer?.error === undefined ? '' : ` (${answer.error.description})`;
    return answer !== undefined && answer.error === undefined;
  }

  async #writeLease(value: string, revision: number): Promise<LeaseWrite> {
    const { leaseStream, leaseSubject } = this.#names;
    const expected = headers();
    expected.set('Nats-Expected-Stream', leaseStream);
    expected.set('Nats-Expected-Last-Subject-Sequence', String(revision));
    const answer = await this.#publish(leaseSubject, Buffer.from(value), expected, requestMs);
    if (typeof answer === 'string') return { kind: 'unsure' };
    if (answer.error === undefined && typeof answer.seq === 'number')
      return { kind: 'written', revision: answer.seq };
    return { kind: codes.wrongLast.includes(answer.error?.err_code ?? 0) ? 'refused' : 'unsure' };
  }

  async #readLease(): Promise<{ value: string; revision: number } | null | undefined> {
    const { leaseStream, leaseSubject } = this.#names;
    const answer = await this.#ask(`STREAM.MSG.GET.${leaseStream}`, { last_by_subj: leaseSubject });
    if (answer?.error?.err_code === codes.noMessage) return null;
    if (answer === undefined || answer.error !== undefined) return undefined;
    const { data = '', seq } = Object(answer.message) as { data?: string; seq: number };
    return { value: Buffer.from(data, 'base64').toString(), revision: seq };
  }

  /** Publishes and waits for the stream's answer; the reason when there is none. */
  async #publish(
    subject: string,
    bytes: Uint8Array,
    expected: ReturnType<typeof headers>,
    timeout: number,
  ): Promise<ApiAnswer | UnsureReason> {
    const { promise } = this.#reconnected;
    try {
      const asked = this.#connection.request(subject, bytes, { timeout, headers: expected });
      // What was on its way when the connection broke has no answer any more.
      asked.catch(() => {});
      const answer = await Promise.race([asked, promise]);
      return answer === 'reconnected' ? answer : readAnswer(answer);
    } catch (error) {
      return failureOf(error);
    }
  }

  async #ask(api: string, body?: unknown): Promise<ApiAnswer | undefined> {
    try {
      const payload = body === undefined ? '' : JSON.stringify(body);
      return readAnswer(await this.#connection.request(`$JS.API.${api}`, payload, { timeout: requestMs }));
    } catch {
      return undefined;
    }
  }

  #subscribe(subject: string, heard: (message: Msg) => void): () => void {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) heard(message);
      },
    });
    return () => subscription.unsubscribe();
  }

  async #watchConnection(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') this.isConnected = false;
      if (type !== 'reconnect') continue;
      this.isConnected = true;
      this.reconnects++;
      const { resolve: tell } = this.#reconnected;
      this.#reconnected = Promise.withResolvers();
      tell('reconnected');
    }
    this.isConnected = false;
  }
}

async function connectionOptions(settings: ClusterSettings): Promise<ConnectionOptions> {
  const { servers, creds, ...access } = await natsAccess(settings);
  return {
    servers: [...servers],
    ...access,
    name: `slipstream ${settings.name}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: redialMs,
    pingInterval: pingMs,
    maxPingOut: 2,
    timeout: dialMs,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...(creds === undefined ? {} : { authenticator: credsAuthenticator(creds) }),
  };
}

function readAnswer(message: Msg): ApiAnswer {
  return Object(JSON.parse(Buffer.from(message.data).toString())) as ApiAnswer;
}

function failureOf(error: unknown): UnsureReason {
  if (error instanceof errors.TimeoutError) return 'timeout';
  // Nobody listens on a stream's subject while it has no leader.
  if (error instanceof errors.NoRespondersError) return 'no_leader';
  if (error instanceof errors.RequestError && error.isNoResponders()) return 'no_leader';
  return 'error';
}

function reasonOf(code: number): UnsureReason {
  if (codes.inProcess.includes(code)) return 'in_process';
  if (codes.noLeader.includes(code)) return 'no_leader';
  return codes.storage.includes(code) ? 'storage' : 'error';
}
