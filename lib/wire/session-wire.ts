// What a WebSocket session says and takes that differs between the two wires; this file has the first one's. Texts alone: how
// they are framed is the encoding's, when they are sent lib/session's.

import type { Gap } from '../event/coverage.ts';
import type { CloseReason, Progress } from '../fanout/transport.ts';
import { type ClientMessage, readClientMessage } from './options-update.ts';
import {
  closeApplicationError,
  closePolicy,
  deliveryCloses,
  gapText,
  progressText,
} from './server-messages.ts';

/** How a session ends. */
export interface WireClose {
  readonly code: number;
  /** In the close frame. */
  readonly text: string;
  /** A message in front of it. */
  readonly error?: string;
}

/** See the file comment. */
export interface SessionWire {
  /**
   * Reads a message of the client; where this is absent, one ends the session.
   * @param limitBytes `maxMessageSizeBytes` of the filter in force.
   */
  readonly readMessage?: (text: string, limitBytes: number) => ClientMessage;
  /** @param reason what is wrong with a message. */
  failureOf(reason: string): WireClose;
  progressOf(report: Progress): string;
  gapOf(gap: Gap): string;
  /** @param cursor to come back with, when it has all that was sent; undefined when delivery has not begun. */
  closeOf(reason: CloseReason, cursor?: number): WireClose;
  /** @param text why the client is taken for one that does not read. */
  stallOf(text: string, cursor?: number): WireClose;
}

/** The wire of `/subscribe`. */
export const v1Wire: SessionWire = {
  readMessage: readClientMessage,
  failureOf: (reason) => ({ code: closeApplicationError, text: reason }),
  progressOf: progressText,
  gapOf: gapText,
  closeOf: (reason) => deliveryCloses[reason],
  stallOf: (text) => ({ code: closePolicy, text }),
};
