// IP addresses as text, read into one form, and which of them anybody on the internet can be at. The only import of `ipaddr.js`. What
// an address is asked for is its callers'.

import ipaddr from 'ipaddr.js';

// Node finds no names in this package, which is CommonJS.
const { IPv4, IPv6 } = ipaddr;

export { IPv4, IPv6 };
export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The address that `text` is, with or without brackets, port and zone; undefined when it is none. IPv4 in IPv6 is IPv4. */
export function addressIn(text: string): Address | undefined {
  const [, inBrackets, beforePort] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  const plain = (inBrackets ?? beforePort ?? text).replace(/%.*$/, '');
  if (IPv4.isValidFourPartDecimal(plain)) return IPv4.parse(plain);
  if (!IPv6.isValid(plain)) return undefined;
  const address = IPv6.parse(plain);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/**
 * Whether an address is a public one: not of this machine, a private network, a link, a group, or a range kept for something else,
 * which are those that lead into an operator's own network. What wraps IPv4 (6to4, Teredo, NAT64) is none.
 */
export function isPublicAddress(text: string): boolean {
  return addressIn(text)?.range() === 'unicast';
}
