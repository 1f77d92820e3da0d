// The thread that checks commits: keys and states of accounts, each with its database, and a batch of frames after the other. It does
// what verifier.ts tells it. It serves nobody, and what is wrong here costs verdicts and nothing else.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { CodedError } from '../errors.ts';
import { KeyResolver } from '../identity/key-resolver.ts';
import { KeyStore } from '../identity/key-store.ts';
import { PlcStream } from '../identity/plc-stream.ts';
import { SignatureChecker } from '../verify/signature.ts';
import { AccountStates } from './account-states.ts';
import { AccountStore } from './account-store.ts';
import { BatchCheck } from './batch-check.ts';
import { BatchWatch } from './batch-watch.ts';
import { FrameReceiver } from './frame-ring.ts';
import { HeldCheck } from './held-check.ts';
import type { FromVerifier, HeldBatch, ToVerifier, VerifierStart } from './verifier-messages.ts';

/** How often states are written: a process that is killed has lost those of that time, and their accounts are anchored again. */
const writeMs = 2_000;
/** How often it is told how the stream of operations goes. */
const reportMs = 1_000;

/** See the file comment. */
class VerifierThread {
  readonly #port: MessagePort;
  readonly #keys: KeyResolver;
  readonly #keyStore: KeyStore;
  readonly #stream: PlcStream | undefined;
  #reports: NodeJS.Timeout | undefined;
  readonly #accounts: AccountStore;
  readonly #states: AccountStates;
  readonly #batches: BatchCheck;
  readonly #held: HeldCheck;
  readonly #frames: FrameReceiver | undefined;
  readonly #watch: BatchWatch | undefined;
  #waiting: (ToVerifier | { readonly kind: 'go_on' | 'frames' })[] = [];
  #isWorking = false;
  #writtenAtMs = performance.now();

  constructor(
    port: MessagePort,
    signatures: SignatureChecker,
    keyStore: KeyStore,
    accounts: AccountStore,
    { plcUrl, webUrl, webHosts, streamsAs, frames }: VerifierStart,
  ) {
    this.#port = port;
    this.#keyStore = keyStore;
    this.#accounts = accounts;
    this.#keys = new KeyResolver({ plcUrl, webUrl, webHosts, store: keyStore });
    this.#stream = streamsAs === undefined ? undefined : this.#follow(plcUrl, streamsAs);
    this.#states = new AccountStates(accounts, Date.now() * 1000);
    const common = { keys: this.#keys, states: this.#states, signatures, nowMs: Date.now };
    this.#batches = new BatchCheck({
      ...common,
      incident: (incident) => this.#send({ kind: 'incident', incident }),
      isBehind: () => this.#frames?.hasNext === true,
    });
    this.#held = new HeldCheck({
      ...common,
      answered: (answers) => this.#send({ kind: 'answers', answers }),
      incident: (incident) => this.#send({ kind: 'held_incident', ...incident }),
      // In between others have their turn: second looks need no I/O.
      wake: () => setImmediate(() => this.#hear({ kind: 'go_on' })),
    });
    port.on('message', (message: ToVerifier) => this.#hear(message));
    this.#frames = frames && new FrameReceiver(frames);
    this.#watch = this.#frames && new BatchWatch(this.#frames, () => this.#hear({ kind: 'frames' }));
    this.#watch?.next();
  }

  #hear(message: ToVerifier | { readonly kind: 'go_on' | 'frames' }): void {
    this.#waiting.push(message);
    if (!this.#isWorking) void this.#work();
  }

  #follow(plcUrl: string, userAgent: string): PlcStream {
    const stream = new PlcStream({
      ...{ plcUrl, store: this.#keyStore, userAgent },
      heard: (operation) => this.#keys.hear(operation),
      askExport: (query) => this.#keys.askExport(query),
    });
    this.#keys.trust((readMs) => stream.isCovered(readMs));
    stream.start();
    const report = (): void => {
      const { state, newestMs, totals } = stream;
      this.#send({ kind: 'stream', report: { state, newestMs, ...totals } });
    };
    this.#reports = setInterval(report, reportMs);
    return stream;
  }

  /** One thing after the other: states of accounts are loaded for one at a time. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
      if (message.kind === 'stop') await this.#stop(message.storedBatch);
      else if (message.kind === 'frames') await this.#take(this.#frames as FrameReceiver);
      else if (message.kind === 'held') await this.#takeHeld(message.batch);
      else if (message.kind === 'begin') this.#held.begin(message.storedAnswers);
      else await this.#held.goOn();
    }
    this.#isWorking = false;
  }

  async #take(frames: FrameReceiver): Promise<void> {
    for (let batch = frames.take(); batch !== undefined; batch = frames.take()) {
      await this.#batches.run(batch, (reasons, isDone) => frames.answer(reasons, isDone));
      frames.done();
      await this.#write(batch.storedBatch);
    }
    this.#watch?.next();
  }

  async #takeHeld(batch: HeldBatch): Promise<void> {
    await this.#held.run(batch);
    this.#send({ kind: 'done', number: batch.number });
    await this.#write(batch.storedAnswers);
  }

  async #write(storedBatch: number): Promise<void> {
    const nowMs = performance.now();
    if (nowMs < this.#writtenAtMs + writeMs && !this.#states.isFull) return;
    this.#writtenAtMs = nowMs;
    await this.#states.write(storedBatch);
  }

  async #stop(storedBatch: number): Promise<void> {
    clearInterval(this.#reports);
    this.#keys.close();
    await this.#stream?.close();
    await this.#states.write(storedBatch);
    await this.#accounts.close();
    await this.#keyStore.close();
    this.#port.close();
  }

  #send(message: FromVerifier): void {
    this.#port.postMessage(message);
  }
}

async function run(port: MessagePort, start: VerifierStart): Promise<void> {
  const signatures = await SignatureChecker.load();
  const keyStore = await KeyStore.open(start.dataDir);
  const accounts = await AccountStore.open(start.dataDir).catch(async (error: unknown) => {
    await keyStore.close();
    throw error;
  });
  new VerifierThread(port, signatures, keyStore, accounts, start);
  port.postMessage({ kind: 'ready', engine: signatures.engine } satisfies FromVerifier);
}

const port = parentPort as MessagePort;
try {
  await run(port, workerData as VerifierStart);
} catch (error) {
  if (!(error instanceof CodedError)) throw error;
  const { code, message, retryable, exitCode } = error;
  port.postMessage({ kind: 'refusal', code, message, retryable, exitCode } satisfies FromVerifier);
}
