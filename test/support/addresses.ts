// Address tables for tests: without limits unless told.

import { type AddressLimits, AddressTable } from '../../lib/fanout/address-table.ts';

const noLimits: AddressLimits = {
  subscribersMax: 1000,
  subscribersPerAddressMax: 0,
  eventsPerSecond: 0,
  wantedDidsMax: 0,
};

export function addressTable(limits: Partial<AddressLimits> = {}, nowMs?: () => number): AddressTable {
  return new AddressTable(AddressTable.memoryFor({ ...noLimits, ...limits }), nowMs);
}
