import type { ErrorCode } from '../../src/base/errors.js';

/** An error object that a vendor puts into a stream, and what it means. */
export type StreamedErrorCase = readonly [error: Readonly<Record<string, unknown>>, code: ErrorCode];

/** platform.openai.com/docs/guides/error-codes */
export const openaiErrors: readonly StreamedErrorCase[] = [
  [{ message: 'Overloaded', type: 'server_error', code: null }, 'vendor-unreachable'],
  [{ message: 'Slow down', type: 'requests', code: 'rate_limit_exceeded' }, 'vendor-rate-limited'],
  [{ message: 'Too long', type: 'invalid_request_error', code: 'context_length_exceeded' }, 'vendor-rejected'],
];

/** platform.claude.com/docs/en/api/errors */
export const anthropicErrors: readonly StreamedErrorCase[] = [
  [{ type: 'overloaded_error', message: 'Overloaded' }, 'vendor-unreachable'],
  [{ type: 'api_error', message: 'Internal server error' }, 'vendor-unreachable'],
  [{ type: 'rate_limit_error', message: 'Slow down' }, 'vendor-rate-limited'],
  [{ type: 'invalid_request_error', message: 'prompt is too long' }, 'vendor-rejected'],
];

/** ai.google.dev/gemini-api/docs/troubleshooting */
export const googleErrors: readonly StreamedErrorCase[] = [
  [{ code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' }, 'vendor-unreachable'],
  [{ code: 429, message: 'Resource has been exhausted.', status: 'RESOURCE_EXHAUSTED' }, 'vendor-rate-limited'],
  [{ code: 400, message: 'Request contains an invalid argument.', status: 'INVALID_ARGUMENT' }, 'vendor-rejected'],
];

/** console.groq.com/docs/errors, console.groq.com/docs/tool-use */
export const groqErrors: readonly StreamedErrorCase[] = [
  [{ message: 'Internal Server Error', type: 'internal_server_error' }, 'vendor-unreachable'],
  [{ message: 'Please reduce the length of the messages.', type: 'invalid_request_error', code: 'context_length_exceeded' }, 'vendor-rejected'],
  [
    {
      message: "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
      type: 'invalid_request_error',
      code: 'tool_use_failed',
      failed_generation: '<function=book{}>',
      status_code: 400,
    },
    'vendor-protocol',
  ],
];
