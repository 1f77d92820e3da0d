// A worker thread that serves subscribers: a replica of the log and a subscriber server on it. It does what it is told by
// worker-pool.ts, in order, and several blocks at once when it is behind. The only file that runs as a worker.

import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openChosen } from '../codec/choose-compressor.ts';
import { CodedError } from '../errors.ts';
import { type Block, blockBytesOf } from '../log/block.ts';
import { LogReplica } from '../log/log-replica.ts';
import type { KeptBlocks, ProofReader } from '../proofs/proof-store.ts';
import { openCodec } from './codec.ts';
import { type ServerLogEntry, SubscriberServer } from './subscriber-server.ts';
import type { Ask, AskKind, Asks, Failure, FromWorker, Tell, WorkerStart } from './worker-messages.ts';

/** See the file comment. */
class WorkerThread {
  readonly #port: MessagePort;
  readonly #start: WorkerStart;
  readonly #replica: LogReplica;
  readonly #server: SubscriberServer;
  readonly #proofs: MainProofs;
  #takenBytes = 0;

  constructor(
    port: MessagePort,
    start: WorkerStart,
    replica: LogReplica,
    server: SubscriberServer,
    proofs: MainProofs,
  ) {
    this.#port = port;
    this.#start = start;
    this.#replica = replica;
    this.#server = server;
    this.#proofs = proofs;
  }

  /** Takes a message and all that wait behind it: a thread that is behind sends several blocks with one write. */
  take(first?: Tell | Ask): void {
    const blocks: Block[] = [];
    let message = first ?? this.#next();
    for (; message !== undefined; message = this.#next()) {
      if ('id' in message) void this.#answer(message);
      else this.#apply(message, blocks);
    }
    if (blocks.length === 0) return;
    const { takenBytes, index } = this.#start;
    Atomics.store(takenBytes, index, BigInt(this.#takenBytes));
    this.#server.publishAll(blocks);
  }

  #next(): Tell | Ask | undefined {
    return receiveMessageOnPort(this.#port)?.message;
  }

  #apply(tell: Tell, blocks: Block[]): void {
    switch (tell.kind) {
      case 'block': {
        const block = withBuffers(tell.block);
        this.#takenBytes += blockBytesOf(block);
        this.#replica.append(block);
        blocks.push(block);
        return;
      }
      case 'compacted':
        this.#takenBytes += blockBytesOf(tell.compacted);
        this.#replica.compacted(withBuffers(tell.compacted), tell.count);
        return;
      case 'trimming':
        this.#replica.trimming(tell.throughUs);
        return;
      case 'blocks':
        this.#proofs.told(tell.asked, tell);
        return;
      case 'status':
        this.#server.report(tell.report);
        return;
    }
  }

  async #answer(ask: Ask): Promise<void> {
    const { id } = ask;
    try {
      send(this.#port, { kind: 'answer', id, answer: await this.#do(ask) });
    } catch (error) {
      send(this.#port, { kind: 'failure', id, ...failureOf(error) });
    }
  }

  async #do(ask: Ask): Promise<Asks[AskKind]['answer']> {
    switch (ask.kind) {
      case 'follow':
        // It has been done: see run().
        return;
      case 'suspend':
        await this.#replica.suspend();
        return;
      case 'resume':
        await this.#replica.resume(ask.log);
        return;
      case 'listen':
        return this.#server.listen(ask.address, ask.sharing);
      case 'counts':
        return this.#server.counts();
      case 'stop':
        await this.#server.stop(ask.deadlineMs);
        await this.#replica.close();
        return;
    }
  }
}

/** Commits that are kept, as the main thread has them: it alone has their database open. As many asks are on their way as are answered. */
class MainProofs implements ProofReader {
  readonly #port: MessagePort;
  readonly #asked = new Map<number, (kept: KeptBlocks) => void>();
  #asks = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  blocksAt(timeUs: number): Promise<KeptBlocks> {
    const asked = this.#asks++;
    send(this.#port, { kind: 'blocksAt', asked, timeUs });
    return new Promise((resolve) => this.#asked.set(asked, resolve));
  }

  told(asked: number, kept: KeptBlocks): void {
    this.#asked.get(asked)?.(kept);
    this.#asked.delete(asked);
  }
}

/** A block whose bytes are Buffers again: what sockets would otherwise make of them at every write. */
function withBuffers(block: Block): Block {
  return { ...block, json: bufferOf(block.json), zstd: bufferOf(block.zstd) };
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** @throws what has no code. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof CodedError)) throw error;
  const { code, message, retryable, exitCode } = error;
  return { code, message, retryable, exitCode };
}

function send(port: MessagePort, message: FromWorker): void {
  port.postMessage(message);
}

/** Resolves with the replica's start once there is one; what comes behind it waits in `later`. */
async function told(port: MessagePort, later: (Tell | Ask)[]): Promise<Extract<Ask, { kind: 'follow' }>> {
  const first = Promise.withResolvers<Tell | Ask>();
  port.on('message', (message: Tell | Ask) => {
    later.push(message);
    first.resolve(message);
  });
  send(port, { kind: 'ready' });
  return (await first.promise) as Extract<Ask, { kind: 'follow' }>;
}

async function run(port: MessagePort, start: WorkerStart): Promise<void> {
  const { config, addresses, plainSocketsMax, listeners, time, readsMax, tailBytesMax } = start;
  const codec = await openCodec(config, (dictionary) =>
    openChosen(start.compressor, dictionary, config.zstdLevel),
  );
  const messages: (Tell | Ask)[] = [];
  const { log } = await told(port, messages);
  const replica = await LogReplica.open(
    {
      dataDir: config.dataDir,
      tailBytesMax,
      compressor: codec.compressor,
      catchUp: () => worker.take(),
      damaged: (table) => send(port, { kind: 'damaged', table }),
    },
    log,
  );
  const writeLog = (entry: ServerLogEntry): void => send(port, { kind: 'log', entry });
  const proofs = new MainProofs(port);
  const server = new SubscriberServer({
    config,
    log: replica,
    codec,
    addresses,
    plainSocketsMax,
    listeners,
    time,
    proofs,
    readsMax,
    writeLog,
  });
  const worker = new WorkerThread(port, start, replica, server, proofs);
  port.removeAllListeners('message');
  port.on('message', (message: Tell | Ask) => worker.take(message));
  for (const message of messages) worker.take(message);
}

const port = parentPort as MessagePort;
try {
  await run(port, workerData as WorkerStart);
} catch (error) {
  send(port, { kind: 'refusal', ...failureOf(error) });
}
