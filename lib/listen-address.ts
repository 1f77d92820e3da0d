// Addresses that listeners bind to, and how they are written. Reading one from a setting is lib/config's; binding is
// lib/http/listen.ts.

/** Where to listen. */
export interface ListenAddress {
  /** Name or address without brackets; undefined is every interface, IPv6 and IPv4. */
  readonly host: string | undefined;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** `host:port`, `:port` or `[v6]:port`: the text that the listen settings take. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  if (host === undefined) return `:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
