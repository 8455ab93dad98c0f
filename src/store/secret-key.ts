import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentStreamError } from '../base/errors.js';

/** Bytes of the key that wraps the data keys: AES-256. */
const SECRET_KEY_BYTES = 32;

/**
 * The key that seals stored credentials: `configured` (32 bytes as hex or base64), else the one in `dataDir/secret.key`, generated with
 * mode 0600 where there is none. Throws `configuration-invalid` for anything that is not 32 bytes.
 */
export async function loadSecretKey(options: { dataDir: string; configured: string | null }): Promise<Buffer> {
  if (options.configured !== null) return parseSecretKey(options.configured, 'AGENT_STREAM_SECRET_KEY');
  const file = join(options.dataDir, 'secret.key');
  const existing = await readKeyFile(file);
  if (existing !== null) return existing;
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  await createKeyFile(file);
  const created = await readKeyFile(file);
  if (created === null) throw new AgentStreamError('configuration-invalid', { message: `${file} vanished while it was being created.` });
  return created;
}

/** Reads 32 bytes from 64 hex digits or base64 (either alphabet, padding optional). Never quotes the text. */
function parseSecretKey(text: string, source: string): Buffer {
  const trimmed = text.trim();
  const key = /^[0-9a-f]{64}$/i.test(trimmed) ? Buffer.from(trimmed, 'hex') : /^[\w+/-]{43}=?$/.test(trimmed) ? Buffer.from(trimmed, 'base64') : null;
  if (key?.length === SECRET_KEY_BYTES) return key;
  throw new AgentStreamError('configuration-invalid', {
    message: `${source} must hold 32 bytes as 64 hex digits or base64. Make one with: openssl rand -hex 32`,
  });
}

async function readKeyFile(file: string): Promise<Buffer | null> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new AgentStreamError('configuration-invalid', { message: `${file} cannot be read: ${error.message}`, cause: error });
  });
  if (text === null) return null;
  if (((await stat(file)).mode & 0o077) !== 0) await chmod(file, 0o600);
  return parseSecretKey(text, file);
}

/** Written aside and linked into place: of two servers starting at once one wins, and a crash leaves no half a key. */
async function createKeyFile(file: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    await handle.writeFile(`${randomBytes(SECRET_KEY_BYTES).toString('hex')}\n`);
    await handle.sync();
    await handle.close();
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
