import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { AgentStreamError } from '../base/errors.js';

/** Where a secret is stored. A sealed value opens in the row it was sealed for and in no other. */
export interface SecretPlace {
  readonly table: string;
  readonly rowId: string;
  readonly organizationId: string;
}

/** Seals and opens what the database must not show. */
export interface Secrets {
  seal(place: SecretPlace, plaintext: string): Buffer;
  /** Throws `secret-key-mismatch` where the key differs, the value was altered, or belongs to another row. */
  open(place: SecretPlace, sealed: Buffer): string;
}

const CIPHER = 'aes-256-gcm';
const FORMAT_VERSION = 1;
/** Bytes of AES-256 keys, and of GCM's nonce and tag (NIST SP 800-38D). */
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Nonce, ciphertext and tag of the wrapped data key. */
const WRAPPED_KEY_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/**
 * Envelope sealing: each value has a data key of its own, wrapped by the server's. Layout: version, wrapped data key, sealed value,
 * the latter two as nonce + ciphertext + tag. Both are bound to their place as additional data.
 */
export function createSecrets(secretKey: Buffer): Secrets {
  if (secretKey.length !== KEY_BYTES) throw new AgentStreamError('configuration-invalid', { message: 'The secret key must have 32 bytes.' });
  return {
    seal(place, plaintext) {
      const dataKey = randomBytes(KEY_BYTES);
      const context = encodePlace(place);
      return Buffer.concat([
        Buffer.of(FORMAT_VERSION),
        encrypt(secretKey, dataKey, context),
        encrypt(dataKey, Buffer.from(plaintext, 'utf8'), context),
      ]);
    },
    open(place, sealed) {
      try {
        if (sealed[0] !== FORMAT_VERSION) throw new Error('Unknown format of a sealed value');
        const context = encodePlace(place);
        const dataKey = decrypt(secretKey, sealed.subarray(1, 1 + WRAPPED_KEY_BYTES), context);
        return decrypt(dataKey, sealed.subarray(1 + WRAPPED_KEY_BYTES), context).toString('utf8');
      } catch (cause) {
        throw new AgentStreamError('secret-key-mismatch', { cause });
      }
    },
  };
}

/** Unambiguous whatever the parts hold. */
function encodePlace(place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([place.table, place.rowId, place.organizationId]));
}

function encrypt(key: Buffer, plaintext: Buffer, context: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(context);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, context: Buffer): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(sealed.length - TAG_BYTES);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(context).setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)), decipher.final()]);
}
