// The server side of a subscriber's WebSocket, as ws has it, with the v1 wire's manners at the end: a peer's close is
// echoed with its code and no reason, and a protocol violation is answered with words. Events do not pass here.

import type { Socket } from 'node:net';
import { WebSocket } from '../websocket.ts';

/** Who starts the end of a connection. */
export type ClosedBy = 'peer' | 'violation' | 'server';

/** Reasons sent for violations of the protocol, by the code of the error that ws finds. */
const violationReasons: Readonly<Record<string, string>> = {
  WS_ERR_EXPECTED_MASK: 'bad MASK',
  WS_ERR_UNEXPECTED_RSV_1: 'RSV1 set',
  WS_ERR_UNEXPECTED_RSV_2_3: 'RSV2 or RSV3 set',
  WS_ERR_INVALID_OPCODE: 'bad opcode',
  WS_ERR_EXPECTED_FIN: 'FIN not set on control',
  WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH: 'len > 125 for control',
  WS_ERR_INVALID_CLOSE_CODE: 'bad close code',
  WS_ERR_INVALID_UTF8: 'invalid UTF-8',
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'message too large',
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 'message in too many pieces',
};

/** What ws has no methods for. Tests fail when a new version of it keeps these elsewhere. */
interface Internals {
  readonly _socket: Socket;
  readonly _receiver: { readonly _bufferedBytes: number; readonly _messageLength: number };
}

/** Created by lib/http/handshake.ts; used by lib/session/websocket-session.ts. */
export class SubscriberSocket extends WebSocket {
  /** Called once, right after this side has handed its close frame to the socket. */
  onClosing: ((by: ClosedBy, code: number | undefined) => void) | undefined;
  #violationCode: number | undefined;

  /**
   * Sends a close frame, once. Callers give a string as `data`, also an empty one. ws itself calls this with a peer's
   * reason as bytes, or with nothing, to echo a close; and with a code alone for a violation, right before it says in
   * an `error` event which one: the frame waits for `answerViolation`.
   */
  override close(code?: number, data?: string | Buffer): void {
    if (this.readyState !== WebSocket.OPEN) {
      super.close();
    } else if (typeof data === 'string') {
      this.#send('server', code, data);
    } else if (code === undefined || data !== undefined) {
      this.#send('peer', code, '');
    } else {
      this.#violationCode = code;
    }
  }

  /** Bytes of a frame or message that has begun and not ended; ws keeps them until it has all. */
  get unfinishedBytes(): number {
    const { _bufferedBytes, _messageLength } = (this as unknown as Internals)._receiver;
    return _bufferedBytes + _messageLength;
  }

  /** Frees an unfinished message, and drops whatever else the peer sends. Its close is not seen any more. */
  dropInput(): void {
    const { _receiver, _socket } = this as unknown as Internals;
    Object.assign(_receiver, { _buffers: [], _bufferedBytes: 0, _fragments: [], _messageLength: 0 });
    _socket.removeAllListeners('data');
    _socket.resume();
  }

  /** To be called with every error that ws emits: sends the close frame of a violation. */
  answerViolation(error: Error & { code?: string }): void {
    const code = this.#violationCode;
    if (code === undefined || this.readyState !== WebSocket.OPEN) return;
    this.#send('violation', code, violationReasons[error.code ?? ''] ?? '');
  }

  #send(by: ClosedBy, code: number | undefined, reason: string): void {
    super.close(code, reason);
    this.onClosing?.(by, code);
  }
}
