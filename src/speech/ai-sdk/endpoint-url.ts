import { AgentStreamError } from '../../base/errors.js';

/**
 * The base of an API's paths: `https://host` and `https://host/` mean `https://host` with the API's own path (`/v1`), any other path is
 * kept: proxies and compatible servers have their own (`/openai/v1`, `/v1beta/openai`).
 * @throws AgentStreamError `configuration-invalid`
 */
export function endpointUrl(baseUrl: string, ownPath: string): string {
  const message = 'A vendor’s base URL is not a URL.';
  if (!URL.canParse(baseUrl)) throw new AgentStreamError('configuration-invalid', { message });
  const url = new URL(baseUrl);
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.origin}${path === '' ? ownPath : path}`;
}
