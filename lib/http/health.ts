// `/health/live` and `/health/ready`: what orchestrators and load balancers ask. It makes no checks; it says what they
// found. Answered on the metrics listener: only the main thread knows the state of the whole.

import type { ServerResponse } from 'node:http';
import { respondJson } from './respond.ts';

/** What one check found. */
export interface Check {
  readonly ok: boolean;
  /** For people; names no client. */
  readonly detail: string;
}

/** All checks by name. */
export type Checks = Readonly<Record<string, Check>>;

/** 200, always: the process is there and its main thread runs. */
export function answerLive(response: ServerResponse): void {
  response.setHeader('Cache-Control', 'no-store');
  respondJson(response, 200, { live: true });
}

/** 200 when every check holds, else 503; the checks either way. */
export function answerReady(response: ServerResponse, checks: Checks): void {
  const ready = Object.values(checks).every(({ ok }) => ok);
  response.setHeader('Cache-Control', 'no-store');
  respondJson(response, ready ? 200 : 503, { ready, checks });
}
