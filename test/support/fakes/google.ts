import type { IncomingMessage } from 'node:http';
import {
  finishReasonOf,
  scriptedUsage,
  startScriptedModel,
  tokensOf,
  type ModelDialect,
  type ScriptedModel,
  type ScriptedModelOptions,
  type ScriptedReply,
} from './scripted-model.js';

/** A part of a content. */
export interface GeminiPart {
  readonly text?: string;
  readonly functionCall?: { readonly id?: string; readonly name: string; readonly args?: unknown };
  readonly functionResponse?: { readonly id?: string; readonly name: string; readonly response: unknown };
  readonly thoughtSignature?: string;
}

/** What one side said. */
export interface GeminiContent {
  readonly role?: string;
  readonly parts: readonly GeminiPart[];
}

/** A request of generateContent, as far as the fake looks at it (ai.google.dev/api/generate-content). */
export interface GeminiRequest {
  readonly contents?: readonly GeminiContent[];
  readonly systemInstruction?: { readonly parts: readonly GeminiPart[] };
  readonly tools?: readonly { readonly functionDeclarations?: readonly { readonly name: string }[] }[];
  readonly generationConfig?: { readonly maxOutputTokens?: number; readonly temperature?: number; readonly thinkingConfig?: { readonly thinkingBudget?: number; readonly thinkingLevel?: string } };
}

const fields = new Set(['contents', 'systemInstruction', 'tools', 'toolConfig', 'generationConfig', 'safetySettings', 'cachedContent', 'serviceTier']);

const modelOf = (path: string): string => /\/models\/([^:/?]+):/.exec(path)?.[1] ?? '';
const callsOf = (content: GeminiContent | undefined) => (content?.parts ?? []).filter((part) => part.functionCall !== undefined);
const responsesOf = (content: GeminiContent | undefined) => (content?.parts ?? []).filter((part) => part.functionResponse !== undefined);

function refusalOfParts(content: GeminiContent, index: number): string | null {
  const where = `* GenerateContentRequest.contents[${index}].parts`;
  if (content.parts.length === 0) return `${where}: contents.parts must not be empty.`;
  const empty = content.parts.findIndex((part) => (part.text ?? '') === '' && part.functionCall === undefined && part.functionResponse === undefined);
  if (empty >= 0) return `${where}[${empty}].data: required oneof field 'data' must have one initialized field`;
  const hasWrongArgs = callsOf(content).some(({ functionCall }) => typeof functionCall!.args !== 'object' || functionCall!.args === null || Array.isArray(functionCall!.args));
  return hasWrongArgs ? `Invalid value at 'contents[${index}].parts.function_call.args' (type.googleapis.com/google.protobuf.Struct)` : null;
}

/** Calls come after the user or a result, and all their results come together, next. */
function refusalOfTools(contents: readonly GeminiContent[], isSigned: boolean): string | null {
  for (const [index, content] of contents.entries()) {
    const before = contents[index - 1];
    const calls = callsOf(content);
    const responses = responsesOf(content);
    if (calls.length > 0 && before?.role !== 'user') return 'Please ensure that function call turn comes immediately after a user turn or after a function response turn.';
    if (responses.length > 0 && callsOf(before).length === 0) return 'Please ensure that function response turn comes immediately after a function call turn.';
    if (responses.length !== callsOf(before).length) return 'Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.';
    if (isSigned && calls.length > 0 && calls[0]!.thoughtSignature === undefined) return `Function call is missing a thought_signature in functionCall parts. Additional data, function call \`default_api:${calls[0]!.functionCall!.name}\`, position 1.`;
  }
  return null;
}

const namePattern = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$/;

function refusalOfNames({ tools = [], contents = [] }: GeminiRequest): string | null {
  const declared = tools.flatMap((tool) => tool.functionDeclarations ?? []).map(({ name }) => name);
  const used = contents.flatMap((content) => content.parts).flatMap(({ functionCall, functionResponse }) => [functionCall?.name, functionResponse?.name]);
  const isWrong = [...declared, ...used].some((name) => name !== undefined && !namePattern.test(name));
  return isWrong ? '* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name. Must start with a letter or an underscore.' : null;
}

/** How much a model thinks: by budget before Gemini 3, by level from then on, and not every model can think as little as any other. */
function refusalOfThinking(model: string, { thinkingBudget, thinkingLevel }: NonNullable<NonNullable<GeminiRequest['generationConfig']>['thinkingConfig']>): string | null {
  if (thinkingBudget !== undefined && thinkingLevel !== undefined) return 'You can only set only one of thinking budget and thinking level.';
  if (thinkingLevel !== undefined && /^gemini-[12]/.test(model)) return 'Thinking level is not supported for this model.';
  if (thinkingBudget === 0 && /^gemini-2\.5-pro/.test(model)) return 'Budget 0 is invalid. This model only works in thinking mode.';
  return thinkingLevel === 'minimal' && /^gemini-(3(\.\d)?-pro|3\.[78])/.test(model) ? 'Thinking level MINIMAL is not supported for this model.' : null;
}

/** Why the API would refuse a request, in its words; null where it would not. */
function refusalOf(body: GeminiRequest, request: IncomingMessage): string | null {
  const stranger = Object.keys(body).find((field) => !fields.has(field));
  if (stranger !== undefined) return `Invalid JSON payload received. Unknown name "${stranger}": Cannot find field.`;
  const contents: readonly GeminiContent[] = body.contents ?? [];
  const model = modelOf(request.url ?? '');
  if (contents.length === 0) return '* GenerateContentRequest.contents: contents is not specified';
  if (contents.some(({ role }) => role !== 'user' && role !== 'model')) return 'Please use a valid role: user, model.';
  if (contents[0]!.role !== 'user') return 'Please ensure that multiturn requests begin with a user role.';
  if (contents.at(-1)!.role !== 'user') return 'Please ensure that multiturn requests end with a user role or a function response.';
  for (const [index, content] of contents.entries()) {
    const refusal = refusalOfParts(content, index);
    if (refusal !== null) return refusal;
  }
  const thinking = body.generationConfig?.thinkingConfig;
  return refusalOfNames(body) ?? refusalOfTools(contents, !/^gemini-[12]/.test(model)) ?? (thinking === undefined ? null : refusalOfThinking(model, thinking));
}

const usageMetadata = {
  promptTokenCount: scriptedUsage.input,
  candidatesTokenCount: scriptedUsage.output,
  totalTokenCount: scriptedUsage.input + scriptedUsage.output,
};
const finishReasons = { stop: 'STOP', length: 'MAX_TOKENS', tool_calls: 'STOP', content_filter: 'SAFETY' } as const;

function responseOf(path: string, parts: readonly GeminiPart[], finishReason?: string) {
  const candidate = { content: { parts, role: 'model' }, ...(finishReason === undefined ? {} : { finishReason }), index: 0 };
  return { candidates: [candidate], usageMetadata, modelVersion: modelOf(path), responseId: 'fake' };
}

/** Only the first of several calls is signed (ai.google.dev/gemini-api/docs/thought-signatures). */
function callParts(calls: NonNullable<ScriptedReply['toolCalls']>): GeminiPart[] {
  return calls.map((call, index) => ({
    functionCall: { id: call.id, name: call.name, args: JSON.parse(call.argumentsJson) as unknown },
    ...(index === 0 ? { thoughtSignature: `signature-of-${call.id}` } : {}),
  }));
}

const event = (data: unknown) => `data: ${JSON.stringify(data)}\r\n\r\n`;

/** Names of errors by status (ai.google.dev/gemini-api/docs/troubleshooting). */
const statusNames: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
};
const errorBody = (code: number, message: string, details?: unknown) => ({ error: { code, message, status: statusNames[code] ?? 'UNKNOWN', ...(details === undefined ? {} : { details }) } });

const google: ModelDialect<GeminiRequest> = {
  isCompletion: (path) => /^\/v1beta\/models\/[^:/]+:(streamG|g)enerateContent$/.test(path),
  modelsPath: '/v1beta/models',
  keyOf: (request) => request.headers['x-goog-api-key']?.toString(),
  // Not 401: to this API a wrong key is an invalid argument.
  unauthorized: {
    status: 400,
    body: errorBody(400, 'API key not valid. Please pass a valid API key.', [
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID', domain: 'googleapis.com', metadata: { service: 'generativelanguage.googleapis.com' } },
    ]),
  },
  errorBody,
  refusalOf,
  lastUserText: (body) => {
    const said = body.contents?.findLast((content) => content.role === 'user' && content.parts.some((part) => part.text !== undefined));
    return (said?.parts ?? []).map((part) => part.text ?? '').join('');
  },
  isStreamed: (_body, path) => path.includes(':streamGenerateContent') && path.includes('alt=sse'),
  stream: (_body, reply, path) => ({
    head: '',
    parts: [
      ...tokensOf(reply.text ?? '').map((token) => event(responseOf(path, [{ text: token }]))),
      ...callParts(reply.toolCalls ?? []).map((part) => event(responseOf(path, [part]))),
    ],
    tail: event(responseOf(path, [{ text: '' }], finishReasons[finishReasonOf(reply)])),
  }),
  whole: (_body, reply, path) =>
    responseOf(path, [...(reply.text === undefined ? [] : [{ text: reply.text }]), ...callParts(reply.toolCalls ?? [])], finishReasons[finishReasonOf(reply)]),
  streamError: (error) => event({ error }),
  endOfStream: '',
};

/** Starts a server that speaks the Gemini API. */
export const startFakeGoogle = (options: ScriptedModelOptions<GeminiRequest> = {}): Promise<ScriptedModel<GeminiRequest>> => startScriptedModel(google, options);
