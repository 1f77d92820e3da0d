// The server side of a subscriber's WebSocket: ws, with the v1 wire's way to close. A peer's close is echoed with its code
// and no reason; a protocol violation is answered with a reason text. Events do not pass here. The bounds on memory
// rest on internals of ws: `checkSocketInternals` says at the start whether they are where this file looks.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { CodedError } from '../errors.ts';
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
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 'message too large',
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 'message in too many pieces',
};

/** Of these the client has sent a message, though none that can be read. */
const messageErrors: ReadonlySet<string | undefined> = new Set([
  'WS_ERR_INVALID_UTF8',
  'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
  'WS_ERR_TOO_MANY_BUFFERED_PARTS',
]);

/** From here on opcodes are those of control frames. */
const firstControlOpcode = 8;

/** What ws has no methods for. */
interface Internals {
  readonly _socket: Socket;
  readonly _receiver: {
    /** Of a frame that has begun and not ended. */
    readonly _buffers: readonly Uint8Array[];
    readonly _bufferedBytes: number;
    /** Of a message that has begun and not ended: its frames so far. */
    readonly _fragments: readonly Uint8Array[];
    readonly _messageLength: number;
    /** The opcode of a message of which not all frames have come; 0 without. */
    readonly _fragmented: number;
    /** Of the frame that is being read, or was read last. */
    readonly _opcode: number;
    /** 0 between frames. */
    readonly _state: number;
  };
  setSocket(socket: Duplex, head: Uint8Array, options: object): void;
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

  /** Whether a message has begun and not ended. */
  get isInMessage(): boolean {
    const { _fragmented, _state, _opcode } = (this as unknown as Internals)._receiver;
    return _fragmented !== 0 || (_state !== 0 && _opcode < firstControlOpcode);
  }

  /** Frees an unfinished message, and drops whatever else the peer sends. Its close is not seen any more. */
  dropInput(): void {
    const { _receiver, _socket } = this as unknown as Internals;
    Object.assign(_receiver, { _buffers: [], _bufferedBytes: 0, _fragments: [], _messageLength: 0 });
    _socket.removeAllListeners('data');
    _socket.resume();
  }

  /** Whether an error that ws emits is about a message, and not about frames: a close with a bad reason is none. */
  isAboutMessage({ code }: NodeJS.ErrnoException): boolean {
    const { _opcode } = (this as unknown as Internals)._receiver;
    return messageErrors.has(code) && _opcode < firstControlOpcode;
  }

  /** To be called with every error that ws emits: sends the close frame of a violation. */
  answerViolation(error: NodeJS.ErrnoException): void {
    const code = this.#violationCode;
    if (code === undefined || this.readyState !== WebSocket.OPEN) return;
    this.#send('violation', code, violationReasons[error.code ?? ''] ?? '');
  }

  #send(by: ClosedBy, code: number | undefined, reason: string): void {
    super.close(code, reason);
    this.onClosing?.(by, code);
  }
}

/** A first fragment of three bytes, and of a second one of a thousand bytes the header and five bytes; all masked. */
const unfinishedMessage = Buffer.from('028300000000' + '010203' + '00fe03e800000000' + '0102030405', 'hex');
const unfinishedMessageBytes = 8;

/**
 * Has a socket receive a part of a message and drop it: with another ws than the tested one, which may keep its parts
 * elsewhere, the bounds on memory would do nothing and nobody would know. To be called once, before listening.
 * @throws CodedError SOCKET_INTERNALS.
 */
export function checkSocketInternals(socketClass: typeof SubscriberSocket = SubscriberSocket): void {
  let problem: unknown;
  try {
    // As its server does it; the types know no such call.
    problem = findProblem(Reflect.construct(socketClass, [null, undefined, {}]));
  } catch (error) {
    problem = error;
  }
  if (problem === undefined) return;
  throw new CodedError(
    'SOCKET_INTERNALS',
    'the installed version of ws is not the one that this program was tested with, and memory of subscribers cannot be bounded: install the version that package.json names',
    { cause: problem },
  );
}

function findProblem(ws: SubscriberSocket): Error | undefined {
  const internals = ws as unknown as Internals;
  const socket = new Duplex({ read: () => {}, write: (_bytes, _encoding, done) => done() });
  try {
    internals.setSocket(socket, Buffer.alloc(0), { maxPayload: 10_000 });
    socket.emit('data', unfinishedMessage);
    const { _buffers, _fragments } = internals._receiver;
    if (_buffers.length !== 1 || _fragments.length !== 1) return new Error('parts are kept elsewhere');
    if (!ws.isInMessage) return new Error('it is not seen that a message has begun');
    const bytes = ws.unfinishedBytes;
    if (bytes !== unfinishedMessageBytes) return new Error(`${bytes} bytes are counted`);
    ws.dropInput();
    socket.emit('data', unfinishedMessage);
    if (ws.unfinishedBytes > 0) return new Error('input is not dropped');
    return undefined;
  } finally {
    socket.destroy();
  }
}
