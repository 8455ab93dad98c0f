import { AgentStreamError } from './errors.js';

const invalidMessage = 'A vendor’s base URL is not an http(s) or ws(s) URL.';

/**
 * Joins an http(s) or ws(s) base URL and a path into a WebSocket URL; a path of the base, such as a proxy's prefix, is kept.
 * @throws AgentStreamError `configuration-invalid` when `baseUrl` is not such a URL.
 */
export function socketUrl(baseUrl: string, path: string): URL {
  if (!URL.canParse(baseUrl)) throw new AgentStreamError('configuration-invalid', { message: invalidMessage });
  const url = new URL(baseUrl);
  if (!/^(https?|wss?):$/.test(url.protocol)) throw new AgentStreamError('configuration-invalid', { message: invalidMessage });
  url.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
  // An http scheme may be changed to a ws scheme: both are special schemes of the URL standard.
  url.protocol = url.protocol === 'http:' || url.protocol === 'ws:' ? 'ws:' : 'wss:';
  return url;
}
