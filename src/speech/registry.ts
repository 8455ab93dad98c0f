import { builtin } from './builtin/index.js';
import type { VendorModule } from './vendor.js';

/** Every speech and language vendor, in the order in which one with a key is chosen where an agent names none; `builtin` is last. */
export const vendors: readonly VendorModule[] = [builtin];

/** The vendor of that name. */
export function findVendor(name: string): VendorModule | undefined {
  return vendors.find((vendor) => vendor.name === name);
}
