import { AgentStreamError } from '../../base/errors.js';

/** Longest answer of a server that is read, bytes: a list of functions is the longest there is. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Ends a body that is too long, so that nobody reads on. */
function bounded(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  let size = 0;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) controller.error(new AgentStreamError('tool-failed', { message: 'The answer of the server is too long.' }));
      else controller.enqueue(chunk);
    },
  });
  return body.pipeThrough(limit);
}

/**
 * The `fetch` of a session with an MCP server: answers are bounded, and the stream of unasked messages is declined as a server without
 * one would (405; Streamable HTTP, "Listening for Messages from the Server"): functions are listed once per call, and a call needs no
 * other news of the server.
 */
export const createSessionFetch =
  (fetch: typeof globalThis.fetch): typeof globalThis.fetch =>
  async (input, init) => {
    if ((init?.method ?? 'GET') === 'GET') return new Response(null, { status: 405 });
    const response = await fetch(input, init);
    if (response.body === null) return response;
    const { status, statusText, headers } = response;
    return new Response(bounded(response.body), { status, statusText, headers });
  };
