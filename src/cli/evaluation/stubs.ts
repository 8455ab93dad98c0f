import { toRegExp, type Stub } from './scenario-file.js';

/** A fetch whose requests the stubs answer, the first one that fits; what none fits goes out as ever. */
export function stubbedFetch(stubs: readonly Stub[], real: typeof fetch): typeof fetch {
  if (stubs.length === 0) return real;
  return async (input, init) => {
    const url = input instanceof Request ? input.url : input.toString();
    const sent = init?.method ?? 'GET';
    const stub = stubs.find(({ method, url: pattern }) => (method === undefined || method === sent) && toRegExp(pattern)?.test(url) === true);
    if (stub === undefined) return real(input, init);
    const { status, json, text } = stub;
    return json === undefined ? new Response(status === 204 ? null : (text ?? ''), { status }) : Response.json(json, { status });
  };
}
