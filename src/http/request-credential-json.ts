import { isRecord, type JsonRecord } from '../base/json.js';
import type { RequestCredential } from '../store/store.js';
import { maskSecret } from './secret-fields.js';

/** Fields of a credential that are shown as they are. */
const shownFields: ReadonlySet<string> = new Set(['type', 'username', 'header']);

const mask = (value: unknown): unknown =>
  isRecord(value) ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, maskSecret(inner)])) : maskSecret(value);

/** A credential as the API shows it: secrets by their last four characters at most. */
export const maskedCredential = (credential: RequestCredential): JsonRecord =>
  Object.fromEntries(Object.entries(credential).map(([name, value]) => [name, shownFields.has(name) ? value : mask(value)]));

/** The stored secret where the sent one is its mask. */
function keptOr(sent: unknown, stored: unknown): unknown {
  if (!isRecord(sent)) return stored !== undefined && sent === maskSecret(stored) ? stored : sent;
  const known = isRecord(stored) ? stored : {};
  return Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, keptOr(value, known[name])]));
}

/** A credential that was sent, with the stored secrets where their masks came back: a form sent back must not store a mask. */
export function withStoredSecrets(sent: RequestCredential, stored: RequestCredential | null): RequestCredential {
  if (stored === null || stored['type'] !== sent['type']) return sent;
  return Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, shownFields.has(name) ? value : keptOr(value, stored[name])]));
}
