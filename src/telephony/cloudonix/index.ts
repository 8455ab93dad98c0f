import type { ProviderModule } from '../provider.js';
import { parseCallback, parseTransferCallback, verifyCallback } from './callbacks.js';
import { cloudonixCredentialsSchema, normaliseDomain, type CloudonixCredentials } from './config.js';
import { createCloudonixControl } from './control.js';
import { cloudonixDialect } from './dialect.js';
import { createSnippets } from './snippets.js';

/** Cloudonix: media streams opened by CXML `<Connect><Stream>`, calls controlled over REST. */
export const cloudonix: ProviderModule<CloudonixCredentials> = {
  name: 'cloudonix',
  displayName: 'Cloudonix',
  dialect: cloudonixDialect,
  credentialsSchema: cloudonixCredentialsSchema,
  apiBaseUrl: { env: 'CLOUDONIX_API_BASE_URL', default: 'https://api.cloudonix.io' },
  canTransfer: { cold: true, warm: true },
  accountOf: (credentials) => normaliseDomain(credentials.domain_id) ?? credentials.domain_id,
  accountOfStream(query, start) {
    const named = [query['Domain'], query['domain'], start.account].find((value) => value !== undefined && value.trim() !== '');
    return named === undefined ? null : normaliseDomain(named);
  },
  hasControlCredential: (credentials) => credentials.bearer_token !== undefined,
  createControl: createCloudonixControl,
  snippets: createSnippets,
  verifyCallback,
  parseCallback,
  parseTransferCallback,
};
