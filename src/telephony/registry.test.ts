import { describe, expect, it } from 'vitest';
import { cloudonix } from './cloudonix/index.js';
import { findProvider, knownProviderNames, providers } from './registry.js';

describe('findProvider', () => {
  it('finds a provider by name, regardless of case', () => {
    expect(findProvider('cloudonix')).toBe(cloudonix);
    expect(findProvider(' Cloudonix ')).toBe(cloudonix);
  });

  it('tells a provider that is not served from one that does not exist', () => {
    for (const name of knownProviderNames) expect(() => findProvider(name)).toThrow(expect.objectContaining({ code: 'provider-unsupported' }));
    for (const name of ['', 'acme', '__proto__', 'constructor', 'toString', '../cloudonix']) {
      expect(() => findProvider(name)).toThrow(expect.objectContaining({ code: 'unknown-provider' }));
    }
  });

  it('keeps each provider under its own name', () => {
    for (const [name, provider] of Object.entries(providers)) expect(provider.name).toBe(name);
  });
});
