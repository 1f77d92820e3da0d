// Which address a request comes from, for limits that count by address: the socket's, or what proxies that the operator
// has named say in `X-Forwarded-For`. Headers of other peers are not looked at. Used by admission.ts and
// posted-filters.ts.

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Address, addressIn, IPv4, IPv6 } from '../ip-address.ts';

/** Proxies that one request may have come through; more are not looked at. */
const proxiesMax = 32;
/** What one client is given of IPv6. */
const groupsCounted = 4;

/** Knows the proxies in front of this server. */
export class ClientAddresses {
  readonly #trusted: readonly (readonly [range: Address, bits: number])[];

  /** @param trustedProxies IP addresses and CIDR ranges. */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = trustedProxies.map((network) => {
      const [text, bits] = network.split('/');
      const range = IPv6.isValid(text) ? IPv6.parse(text) : IPv4.parse(text);
      return [range, bits === undefined ? range.toByteArray().length * 8 : Number(bits)];
    });
  }

  /**
   * The address that a request counts for: IPv4, or the /64 of an IPv6 address, for that is what one client is given.
   * From the socket's end on, it is the first that is no trusted proxy. Where a proxy says nothing that can be
   * understood, it is that proxy. Empty when the socket has lost its client.
   */
  of(request: IncomingMessage): string {
    const forwardedFor = (request.headers['x-forwarded-for'] as string | undefined) ?? '';
    let address = addressIn(request.socket.remoteAddress ?? '');
    if (address === undefined) return '';
    let end = forwardedFor.length;
    for (let proxies = 0; end > 0 && proxies < proxiesMax && this.#trusts(address); proxies++) {
      const comma = forwardedFor.lastIndexOf(',', end - 1);
      const next = addressIn(forwardedFor.slice(comma + 1, end).trim());
      if (next === undefined) break;
      address = next;
      end = comma;
    }
    return countedAs(address);
  }

  /** The address that a connection counts for until it has sent a request; undefined when it is a trusted proxy's. */
  ofPeer({ remoteAddress = '' }: Socket): string | undefined {
    const address = addressIn(remoteAddress);
    return address === undefined || this.#trusts(address) ? undefined : countedAs(address);
  }

  #trusts(address: Address): boolean {
    return this.#trusted.some(([range, bits]) => {
      if (range instanceof IPv4) return address instanceof IPv4 && address.match(range, bits);
      // A range of IPv6 has IPv4 in it, too, as `::ffff:0:0/96`.
      return (address instanceof IPv4 ? address.toIPv4MappedAddress() : address).match(range, bits);
    });
  }
}

function countedAs(address: Address): string {
  if (address instanceof IPv4) return address.toString();
  const network = address.parts.slice(0, groupsCounted);
  return `${network.map((group) => group.toString(16)).join(':')}::/64`;
}
