import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeJson, storableText } from './encode-json.js';
import { loadSecretKey } from './secret-key.js';
import { createSecrets } from './secrets.js';

const place = { table: 'telephony_configs', rowId: 'row-1', organizationId: 'org-1' };

describe('secrets', () => {
  const secrets = createSecrets(randomBytes(32));

  it('open to what was sealed, each time sealed differently', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const sealed = secrets.seal(place, text);
        expect(secrets.open(place, sealed)).toBe(text);
        expect(secrets.seal(place, text).equals(sealed)).toBe(false);
      }),
    );
  });

  it('do not open in another table, row or organization', () => {
    const sealed = secrets.seal(place, 'XI-token');
    for (const other of [{ table: 'vendor_credentials' }, { rowId: 'row-2' }, { organizationId: 'org-2' }, { table: 'telephony_configs", "row-1' }]) {
      expect(() => secrets.open({ ...place, ...other }, sealed)).toThrow(expect.objectContaining({ code: 'secret-key-mismatch' }) as Error);
    }
  });

  it('do not open with another key, nor after any change', () => {
    const sealed = secrets.seal(place, 'XI-token');
    const mismatch = expect.objectContaining({ code: 'secret-key-mismatch' }) as Error;
    expect(() => createSecrets(randomBytes(32)).open(place, sealed)).toThrow(mismatch);
    for (let index = 0; index < sealed.length; index += 1) {
      const altered = Buffer.from(sealed);
      altered[index] = (altered[index] ?? 0) ^ 1;
      expect(() => secrets.open(place, altered)).toThrow(mismatch);
    }
    for (let length = 0; length < sealed.length; length += 1) expect(() => secrets.open(place, sealed.subarray(0, length))).toThrow(mismatch);
  });

  it('need a key of 32 bytes', () => {
    expect(() => createSecrets(randomBytes(16))).toThrow(expect.objectContaining({ code: 'configuration-invalid' }) as Error);
  });
});

describe('the secret key', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'agent-stream-key-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('is generated once, readable by its owner alone, also when servers start at once', async () => {
    const directory = join(dataDir, 'data');
    const keys = await Promise.all(Array.from({ length: 5 }, () => loadSecretKey({ dataDir: directory, configured: null })));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(keys[0]).toHaveLength(32);
    expect(await readdir(directory)).toEqual(['secret.key']);
    expect((await stat(join(directory, 'secret.key'))).mode & 0o777).toBe(0o600);
    await chmod(join(directory, 'secret.key'), 0o644);
    expect(await loadSecretKey({ dataDir: directory, configured: null })).toEqual(keys[0]);
    expect((await stat(join(directory, 'secret.key'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(directory, 'secret.key'), 'utf8')).toBe(`${keys[0]?.toString('hex')}\n`);
  });

  it('is read from the configuration as hex or base64', async () => {
    const key = randomBytes(32);
    for (const configured of [key.toString('hex'), key.toString('hex').toUpperCase(), key.toString('base64'), key.toString('base64url'), ` ${key.toString('hex')}\n`]) {
      expect(await loadSecretKey({ dataDir, configured })).toEqual(key);
    }
    expect(await readdir(dataDir)).toEqual([]);
  });

  it('is refused when it is anything else, without being quoted', async () => {
    await writeFile(join(dataDir, 'secret.key'), 'truncat');
    await expect(loadSecretKey({ dataDir, configured: null })).rejects.toMatchObject({ code: 'configuration-invalid' });
    for (const configured of ['', 'hunter2-hunter2', randomBytes(31).toString('hex'), randomBytes(33).toString('base64')]) {
      const failure = await loadSecretKey({ dataDir, configured }).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'configuration-invalid' });
      if (configured !== '') expect(String(failure)).not.toContain(configured);
    }
  });
});

describe('encodeJson', () => {
  it('yields JSON without what PostgreSQL refuses, whatever the strings', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.string({ unit: 'binary' }), (value, text) => {
        const encoded = encodeJson({ value, [text]: text });
        expect(() => JSON.parse(encoded) as unknown).not.toThrow();
        expect(encoded).not.toMatch(/\\u0000|\\ud[89a-f]/i);
      }),
    );
  });

  it('keeps what needs no change', () => {
    const value = { a: [1, 'é😀', null, true, { b: 'c' }], at: new Date(0) };
    expect(encodeJson(value)).toBe(JSON.stringify(value));
    expect(encodeJson(undefined)).toBe('null');
    expect(encodeJson({ big: 12n })).toBe('{"big":"12"}');
    expect(storableText('a\u0000\udc00')).toBe('a\ufffd');
  });

  it('ends at cycles', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(JSON.parse(encodeJson(cycle))).toHaveProperty('self.self');
  });
});
