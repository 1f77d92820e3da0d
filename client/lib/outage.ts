// Why there is no connection, in words for a person who can do something about it. Pure; what is of foreign origin in a
// notice is in the words as it came.

import type { Disconnected } from './notice.ts';

/** What runtimes call the failures that a person can tell apart. */
const refused = /^(ECONNREFUSED|ConnectionRefused)$/;
const nameless = /^(ENOTFOUND|EAI_\w+)$/;
const unanswered = /^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;
const tls = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|^EPROTO$/;
const cut = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET|HPE_\w+)$/;

/**
 * `nothing listens at localhost:9999: is the server running?`, without a full stop. @param url that was given to
 * `subscribe`.
 */
export function outageText(url: string, notice: Disconnected): string {
  const { why, code, reason, status, words, cause } = notice;
  if (why === 'no_dictionary') return reason;
  if (why === 'connect_timeout') return `${placeOf(url)} does not answer`;
  if (why === 'failed') return `${placeOf(url)} ends the connection: ${reason}`;
  if (why !== 'not_connected') {
    const said = reason === '' ? '' : `, "${reason}"`;
    return `${why.replaceAll('_', ' ')} (${code})${said}`;
  }
  if (status !== undefined) {
    const said = words === '' ? '' : ` "${words}"`;
    return `${placeOf(url)} takes no WebSocket: it answers ${status}${said}`;
  }
  return cause === undefined ? `no connection to ${placeOf(url)}` : causeText(placeOf(url), cause);
}

function causeText(place: string, cause: string): string {
  if (refused.test(cause)) return `nothing listens at ${place}: is the server running?`;
  if (nameless.test(cause))
    return `no address is known for ${place}: check the name, and that DNS works here`;
  if (unanswered.test(cause)) return `${place} does not answer`;
  if (tls.test(cause))
    return `no secure connection to ${place} (${cause}): check its certificate, and whether the address should be ws:// or wss://`;
  if (cut.test(cause))
    return `${place} ends the connection at once (${cause}): check whether the address should be ws:// or wss://`;
  return `no connection to ${place} (${cause})`;
}

/** `host`, or `host:port`. */
function placeOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
