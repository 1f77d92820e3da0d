// A plain HTTP answer to a request that asked for an upgrade: node:http has taken its parser off the socket by then, so
// that the answer has to be put on by hand. Used by public-listener.ts.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** A response that ends the connection with its end. The server's idle timeout still bounds it. */
export function upgradeResponse(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => {
    response.detachSocket(socket);
    socket.destroySoon();
  });
  // What the client goes on to send is read and dropped: unread bytes would turn the end into a reset.
  socket.resume();
  return response;
}
