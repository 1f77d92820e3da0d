// What a check of a commit takes of a core, in this process and without sockets: all of it, and its stages. By processor time,
// because that is what a thread for it would have. The baseline is the packages of those who made the protocol.

import { existsSync, readFileSync } from 'node:fs';
import { formatDidKey, verifySignature } from '@atproto/crypto';
import { CarIndex } from '../lib/decode/car.ts';
import { Frame, frameTypes } from '../lib/decode/frame.ts';
import { signingKeyOf } from '../lib/identity/did-document.ts';
import { CommitCheck } from '../lib/verify/commit-check.ts';
import { CommitView } from '../lib/verify/commit-view.ts';
import { secondOpinion } from '../lib/verify/second-opinion.ts';
import { SignatureChecker } from '../lib/verify/signature.ts';
import { VerifyingKey } from '../lib/verify/verifying-key.ts';
import { readFrames } from '../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../simulator/lib/network.ts';
import { decodeMessage, readBlocks } from './baseline-codec.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import type { Session } from './session.ts';
import { recordedDocumentsPath, recordedFramesPath } from './stage-input.ts';
import { VerifyBatches } from './verify-batches.ts';

const simulatedFrames = 400;

/** A commit, its account's key, and what is signed, for stages alone. */
interface Commit {
  readonly bytes: Uint8Array;
  readonly key: VerifyingKey;
  readonly didKey: string;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** What is done with one commit. */
type Work = (commit: Commit) => unknown;

/** Commits a second, and microseconds a commit, of one core. */
export async function verifyFigures(session: Session): Promise<Figure[]> {
  const simulated = await simulatedCommits();
  const hasRecorded = existsSync(recordedFramesPath) && existsSync(recordedDocumentsPath);
  const ofCurve = (curve: string): Commit[] => simulated.filter(({ key }) => key.curve === curve);
  const commits = hasRecorded ? await recordedCommits() : ofCurve('secp256k1');
  const p256 = ofCurve('p256');
  const kind = hasRecorded ? 'recorded' : 'simulated';
  session.note(`verify: ${commits.length} ${kind} commits, ${p256.length} simulated of P-256, over and over`);
  const fastest = await SignatureChecker.load();
  const wasm = await SignatureChecker.load(['wasm']);
  const node = SignatureChecker.ofNode();
  const plain: Work = ({ bytes, key }) => secondOpinion(bytes, key);
  const plainSignature: Work = ({ didKey, signed, signature }) => verifySignature(didKey, signed, signature);
  // Where there is no native code, its rows are left out.
  const engines = fastest.engine === 'native' ? [fastest, wasm, node] : [wasm, node];
  const figures: Figure[] = [];
  for (const checker of engines) {
    const name = `a commit, ${checker.engine}`;
    figures.push(await figure(session, name, commits, wholeWork(checker), plain, true));
  }
  figures.push(await figure(session, 'a commit, P-256', p256, wholeWork(node), plain, true));
  figures.push(...(await batchFigures(session, engines)));
  for (const checker of engines) {
    const name = `signature, ${checker.engine}`;
    figures.push(await figure(session, name, commits, signatureWork(checker), plainSignature, false));
  }
  const rows: [name: string, list: readonly Commit[], ours: Work, baseline: Work][] = [
    ['signature, P-256', p256, signatureWork(node), plainSignature],
    ['frame, CAR, hashes', commits, archiveWork(), plainArchive],
    ['all but the signature', commits, wholeWork(undefined), plain],
  ];
  for (const [name, list, ours, baseline] of rows)
    figures.push(await figure(session, name, list, ours, baseline, false));
  return figures;
}

/** What the thread beside the stream does with a commit, with each engine. */
async function batchFigures(session: Session, engines: readonly SignatureChecker[]): Promise<Figure[]> {
  const batches = await VerifyBatches.create(session.quick ? 200 : 2000);
  const msMin = session.quick ? 100 : 1000;
  const figures: Figure[] = [];
  for (const checker of engines) {
    const name = `in batches, ${checker.engine}`;
    await batches.rate(checker, msMin / 2);
    const measured = await session.alternate(`verify ${name}`, () => batches.rate(checker, msMin));
    figures.push(figureOf(`verify: ${name}`, 'commits/s', 'higher', measured));
  }
  return figures;
}

async function figure(
  session: Session,
  name: string,
  commits: readonly Commit[],
  ours: Work,
  baseline: Work,
  isRate: boolean,
): Promise<Figure> {
  const msMin = session.quick ? 100 : 1000;
  const measure = (work: Work) => (): Promise<Sample> => timed(commits, work, msMin, isRate);
  // Unmeasured, until the compiler has done its work.
  for (const work of [ours, baseline]) await timed(commits, work, msMin / 2, isRate);
  const measured = await session.alternate(`verify ${name}`, measure(ours), measure(baseline));
  const [unit, better] = isRate ? (['commits/s', 'higher'] as const) : (['µs/commit', 'lower'] as const);
  return figureOf(`verify: ${name}`, unit, better, measured);
}

/** Goes through the commits for at least `msMin` of processor time. */
async function timed(
  commits: readonly Commit[],
  work: Work,
  msMin: number,
  isRate: boolean,
): Promise<Sample> {
  const before = process.cpuUsage();
  let events = 0;
  let us = 0;
  while (us < msMin * 1000) {
    for (const commit of commits) {
      const done = work(commit);
      if (done instanceof Promise) await done;
    }
    events += commits.length;
    const { user, system } = process.cpuUsage(before);
    us = user + system;
  }
  return { value: isRate ? events / (us / 1e6) : us / events, events, cpuUsPerEvent: us / events };
}

/** @param signatures without them, all that is done before. */
function wholeWork(signatures: SignatureChecker | undefined): Work {
  const frame = new Frame();
  const always = { check: () => 'valid' } as unknown as SignatureChecker;
  const check = new CommitCheck(signatures ?? always);
  return ({ bytes, key }) => {
    frame.read(bytes);
    if (check.check(frame, key) !== 'whole') throw new Error('a commit is not whole');
  };
}

function signatureWork(signatures: SignatureChecker): Work {
  return ({ key, signed, signature }) => {
    if (signatures.check(key, signed, signature) !== 'valid') throw new Error('a signature is not valid');
  };
}

function archiveWork(): Work {
  const frame = new Frame();
  const car = new CarIndex();
  return ({ bytes }) => {
    frame.read(bytes);
    car.read(bytes, frame.blocksStart, frame.blocksEnd);
  };
}

async function plainArchive({ bytes }: Commit): Promise<void> {
  const message = decodeMessage(bytes);
  if (message?.type === '#commit') await readBlocks(message);
}

async function recordedCommits(): Promise<Commit[]> {
  const documents = JSON.parse(readFileSync(recordedDocumentsPath, 'utf8'));
  const frames = await readFrames(recordedFramesPath);
  return frames.flatMap((bytes) => commitOf(bytes, (did) => signingKeyOf(documents[did], did)));
}

async function simulatedCommits(): Promise<Commit[]> {
  const network = new SyntheticNetwork({ seed: 'verify', accounts: 64 });
  const commits: Commit[] = [];
  for (let index = 0; index < simulatedFrames; index++) {
    const { bytes } = await network.next();
    commits.push(...commitOf(bytes, (did) => VerifyingKey.parse(network.signingKeyOf(did) ?? '')));
  }
  return commits;
}

/** One commit, or none: of another kind of frame, or of an account without a key. */
function commitOf(bytes: Uint8Array, keyOf: (did: string) => unknown): Commit[] {
  const frame = new Frame();
  const car = new CarIndex();
  const view = new CommitView();
  frame.read(bytes);
  if (frame.type !== frameTypes.commit) return [];
  const key = keyOf(Buffer.from(bytes.subarray(frame.didStart, frame.didEnd)).toString());
  if (!(key instanceof VerifyingKey)) return [];
  car.read(bytes, frame.blocksStart, frame.blocksEnd);
  car.findRoot();
  view.read(bytes, car.blockStart, car.blockEnd);
  const didKey = formatDidKey(key.curve === 'p256' ? 'ES256' : 'ES256K', key.point);
  return [{ bytes, key, didKey, signed: view.signedBytes().slice(), signature: view.signature().slice() }];
}
