// The one file that imports `ws`. Everything that speaks WebSocket, to relays or to subscribers, takes its classes
// from here, so that the package can be replaced in one place. It adds nothing to them.

export type { ClientOptions } from 'ws';
export { WebSocket, WebSocketServer } from 'ws';
