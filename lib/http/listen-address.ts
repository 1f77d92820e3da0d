// Listen addresses as the flags spell them: `host:port`, `:port` for all interfaces, `[v6]:port`. Parsing and printing
// only; binding is bind.ts.

import { isIPv6 } from 'node:net';
import { CodedError } from '../event/coded-error.ts';

/** Where to listen. */
export interface ListenAddress {
  /** Name or address without brackets; undefined is every interface, IPv6 and IPv4. */
  readonly host: string | undefined;
  /** 0 lets the system choose. */
  readonly port: number;
}

const portMax = 65_535;
const hostPort = /^(?:\[([^\]]+)\]|([^:[\]/]*)):([0-9]{1,5})$/;

/** Parses an address. Throws HTTP_BAD_LISTEN_ADDRESS. */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, digits] = hostPort.exec(text) ?? [];
  const port = Number(digits);
  const hostIsFine = bracketed === undefined || isIPv6(bracketed.replace(/%.*$/, ''));
  if (digits === undefined || port > portMax || !hostIsFine) {
    throw new CodedError(
      'HTTP_BAD_LISTEN_ADDRESS',
      `"${text}" is no listen address. Give host:port, [IPv6 address]:port, or :port for all interfaces, with a port from 0 (chosen by the system) to ${portMax}.`,
    );
  }
  return { host: bracketed ?? (plain === '' ? undefined : plain), port };
}

/** The text that `parseListenAddress` takes. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  if (host === undefined) return `:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
