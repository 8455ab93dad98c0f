import { mergeVariables } from '../workflow/variables.js';
import type { StreamStart } from '../telephony/dialect.js';

/** What the stream's URL asks for (contract §1). */
export interface StreamRequest {
  /** Lower-case UUID; null where the path holds none: answered like an unknown agent. */
  readonly agentUuid: string | null;
  readonly streamToken: string | null;
  /** Null: to be recognised from headers and first frames. */
  readonly provider: string | null;
  /** The caller's own id for the call: `callId`, else `CallSid`. */
  readonly callId: string | undefined;
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** All query parameters, for the provider. */
  readonly query: Readonly<Record<string, string>>;
  /** Query parameters without a meaning of their own; none has a built-in name. */
  readonly callVariables: Readonly<Record<string, string>>;
}

/** What a run records of where its call came from. */
export interface CallContext {
  readonly initialContext: Readonly<Record<string, unknown>>;
  readonly gatheredContext: Readonly<Record<string, unknown>>;
}

/**
 * The contexts of a call: agent variables, overlaid by call variables, overlaid by built-in facts. A value is taken from the URL,
 * else from the start message, else from its custom parameters. Without `start` (the run is minted before the handshake) only the
 * URL speaks.
 */
export function callContextOf(
  request: StreamRequest,
  facts: { provider: string; agentUuid: string; agentVariables: Readonly<Record<string, unknown>> },
  start?: StreamStart,
): CallContext {
  const custom = start?.customParameters ?? {};
  // Neither holds a built-in name: their parsers saw to that.
  const callVariables = mergeVariables(custom, request.callVariables);
  const variables = mergeVariables(facts.agentVariables, callVariables);
  const builtIn = {
    provider: facts.provider,
    direction: start?.direction ?? 'inbound',
    caller_number: request.from ?? start?.from ?? custom['from'] ?? null,
    called_number: request.to ?? start?.to ?? custom['to'] ?? null,
    agent_uuid: facts.agentUuid,
  };
  const callId = request.callId ?? start?.sessionId;
  return {
    initialContext: { ...variables, ...builtIn },
    gatheredContext: {
      ...(callId === undefined ? {} : { call_id: callId }),
      ...(start === undefined ? {} : { session: start.sessionId, call_sid: start.callId, stream_sid: start.streamId }),
    },
  };
}
