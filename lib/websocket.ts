// The one file that imports `ws`, and it adds nothing: everything that speaks WebSocket, to relays or to subscribers, takes
// its classes from here. The version is pinned, because session/subscriber-socket.ts relies on internals of it.

export type { ClientOptions } from 'ws';
export { WebSocket, WebSocketServer } from 'ws';
