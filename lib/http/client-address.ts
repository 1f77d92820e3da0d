// Which address a request comes from, for limits that count by address: the socket's, or what proxies that the operator
// has named say in `X-Forwarded-For`. Headers of anybody else are not looked at. Used by admission.ts.

import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Proxies that one request may have come through; more are not looked at. */
const proxiesMax = 32;

/** Knows the proxies in front of this server. */
export class ClientAddresses {
  readonly #trusted = new BlockList();

  /** @param trustedProxies IP addresses and CIDR ranges. */
  constructor(trustedProxies: readonly string[]) {
    for (const network of trustedProxies) {
      const [address, bits] = network.split('/');
      const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
      if (bits === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(bits), family);
    }
  }

  /**
   * The address that a request counts for: IPv4, or the /64 of an IPv6 address, for that is what one client is given.
   * From the socket's end on, it is the first that is no trusted proxy. Where a proxy says nothing that can be
   * understood, it is that proxy. Empty when the socket has lost its client.
   */
  of(request: IncomingMessage): string {
    const forwardedFor = (request.headers['x-forwarded-for'] as string | undefined) ?? '';
    let address = addressIn(request.socket.remoteAddress ?? '') ?? '';
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

  #trusts(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#trusted.check(address, version === 4 ? 'ipv4' : 'ipv6');
  }
}

/** The address that `text` is, with or without brackets, port and zone; undefined when it is none. IPv4 in IPv6 is IPv4. */
function addressIn(text: string): string | undefined {
  const [, inBrackets, beforePort] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  const address = (inBrackets ?? beforePort ?? text).replace(/%.*$/, '');
  if (isIP(address) !== 6) return isIP(address) === 4 ? address : undefined;
  const groups = groupsOf(address);
  const inIpv6 = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return inIpv6 ? [groups[6] >> 8, groups[6] & 255, groups[7] >> 8, groups[7] & 255].join('.') : address;
}

function countedAs(address: string): string {
  if (isIP(address) !== 6) return address;
  const network = groupsOf(address).slice(0, 4);
  return `${network.map((group) => group.toString(16)).join(':')}::/64`;
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [left, right = []] = address.split('::').map((half) => half.split(':').flatMap(numbersOf));
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/** The numbers of one group: none of an empty one, two of an IPv4 address at the end. */
function numbersOf(group: string): number[] {
  if (group === '') return [];
  if (!group.includes('.')) return [Number.parseInt(group, 16)];
  const [a, b, c, d] = group.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d];
}
