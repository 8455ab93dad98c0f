/** One entry of the catalogue. `message` is also the close reason where `closeCode` is set. */
interface ErrorEntry {
  readonly message: string;
  readonly retryable: boolean;
  readonly httpStatus: number;
  /** Set on errors that close a media stream (docs/errors.md). */
  readonly closeCode?: number;
  readonly cause: string;
  readonly cure: string;
}

const entry = (
  message: string,
  httpStatus: number,
  options: { closeCode?: number; retryable?: boolean; cause: string; cure: string },
): ErrorEntry => ({ message, httpStatus, retryable: false, ...options });

/** Every error the system raises on purpose. docs/errors.md is generated from it (`npm run docs`). */
const entries = {
  // Stream: routing and policy (1008)
  'unknown-provider': entry('Unknown provider', 404, {
    closeCode: 1008,
    cause: 'The provider named in the stream URL is not in the registry.',
    cure: 'Use a name from GET /api/v1/telephony-providers, for example cloudonix.',
  }),
  'agent-not-found': entry('Agent not found', 404, {
    closeCode: 1008,
    cause: 'No active agent has this UUID, it is archived, or the stream token is missing or wrong. All are answered alike.',
    cure: 'Copy the stream URL again (GET /api/v1/agents/{uuid}/stream-url); unarchive the agent; rotate the token if it was lost.',
  }),
  'quota-exceeded': entry('Quota exceeded', 402, {
    closeCode: 1008,
    cause: 'The minutes or runs of the agent’s owner for the current period are used up.',
    cure: 'Raise the quota (PUT /api/v1/users/{id}/quota) or wait for the next period.',
  }),
  'concurrency-limit': entry('Concurrent call limit reached', 429, {
    closeCode: 1008,
    retryable: true,
    cause: 'The organization or the agent already holds as many live calls as its limit allows.',
    cure: 'Raise the limit (PUT /api/v1/organization/limits, or limits.concurrent_calls of the agent) or retry when a call has ended.',
  }),
  // Stream: server side (1011, 1013, 1001)
  'provider-not-recognised': entry('Provider not recognised', 400, {
    closeCode: 1011,
    cause: 'The URL names no provider and the upgrade headers and first frames match no known one.',
    cure: 'Name the provider: /api/v1/agent-stream/{provider}/{agent_uuid}.',
  }),
  'provider-unsupported': entry('Provider has no stream support', 501, {
    closeCode: 1011,
    cause: 'The provider is known, but its media stream is not implemented.',
    cure: 'GET /api/v1/telephony-providers names the providers whose streams are served.',
  }),
  'internal-error': entry('Internal server error', 500, {
    closeCode: 1011,
    cause: 'A fault of this server. The run’s events and the log line with the same run id tell more.',
    cure: 'Look at the run’s events; report it if it repeats.',
  }),
  'vendor-failed': entry('Speech or language vendor failed', 502, {
    closeCode: 1011,
    retryable: true,
    cause: 'A speech-to-text, language-model or text-to-speech vendor refused or dropped the call’s connection.',
    cure: 'Check the vendor’s key, quota and status; the run’s events name vendor and leg.',
  }),
  'server-going-away': entry('Server is going away', 503, {
    closeCode: 1001,
    retryable: true,
    cause: 'The node reached its drain deadline while the call was still up.',
    cure: 'Raise AGENT_STREAM_DRAIN_TIMEOUT_SECONDS above the longest call.',
  }),
  'node-full': entry('This node is full', 503, {
    closeCode: 1013,
    retryable: true,
    cause: 'The node holds AGENT_STREAM_MAX_CALLS calls.',
    cure: 'Add a node, or raise the limit if the machine allows.',
  }),
  'node-draining': entry('This node is draining', 503, {
    closeCode: 1013,
    retryable: true,
    cause: 'The node received SIGTERM and takes no new calls.',
    cure: 'Route new calls to another node; /readyz answers 503 meanwhile.',
  }),
  // Stream: the socket itself
  'protocol-breach': entry('WebSocket protocol error', 400, {
    closeCode: 1002,
    cause: 'A frame broke RFC 6455: not masked, reserved bits or opcode, a control frame that is fragmented or too long, a bad close code.',
    cure: 'Use a WebSocket library at the peer; look for a proxy that alters frames.',
  }),
  'wrong-frame-type': entry('Binary frame on a text protocol', 400, {
    closeCode: 1003,
    cause: 'The provider’s protocol carries JSON text frames, and a binary frame arrived.',
    cure: 'Send media base64-encoded in JSON text frames.',
  }),
  'invalid-utf8': entry('Invalid UTF-8', 400, {
    closeCode: 1007,
    cause: 'A text frame held bytes that are not UTF-8 (RFC 6455 §8.1).',
    cure: 'Encode text frames as UTF-8.',
  }),
  'frame-too-large': entry('Frame too large', 413, {
    closeCode: 1009,
    cause: 'A message exceeded 64 KiB, or came in more than 1,024 fragments.',
    cure: 'Send media in frames of 20 ms to 1 s.',
  }),
  'stream-flood': entry('Too many messages', 429, {
    closeCode: 4429,
    cause: 'The socket sent more than 200 messages or 1 MB per second.',
    cure: 'Send media at real time: 50 frames of 20 ms per second.',
  }),
  // Stream: provider handshake (4400, 4408, 4409)
  'expected-connected': entry('Expected connected event', 400, {
    closeCode: 4400,
    cause: 'The first frame was not the provider’s connected event.',
    cure: 'Point a Cloudonix <Connect><Stream> at the URL; send connected, then start.',
  }),
  'expected-start': entry('Expected start event', 400, {
    closeCode: 4400,
    cause: 'The frame after connected was not the start event.',
    cure: 'Send start right after connected.',
  }),
  'malformed-handshake': entry('Malformed handshake message', 400, {
    closeCode: 4400,
    cause: 'A handshake frame was not a JSON object.',
    cure: 'Send connected and start as JSON objects in text frames.',
  }),
  'missing-start-metadata': entry('Missing start metadata', 400, {
    closeCode: 4400,
    cause: 'The start event has no start object.',
    cure: 'Send start.start with streamSid, callSid and session.',
  }),
  'missing-stream-identifiers': entry('Missing stream identifiers', 400, {
    closeCode: 4400,
    cause: 'start lacks streamSid, callSid or session, or one of them is not a short printable string.',
    cure: 'Send all three; session is the Cloudonix session token.',
  }),
  'unsupported-media': entry('Unsupported media format', 400, {
    closeCode: 4400,
    cause: 'start.mediaFormat names an encoding, rate or channel count that the provider’s dialect does not carry.',
    cure: 'Use audio/x-mulaw or audio/x-alaw, 8000 Hz, one channel.',
  }),
  'missing-domain': entry('Missing Domain', 400, {
    closeCode: 4400,
    cause: 'Neither the URL’s Domain parameter nor start.accountSid names the Cloudonix domain.',
    cure: 'Add ?Domain=your.cloudonix.net to the stream URL.',
  }),
  'unknown-telephony-config': entry('No matching telephony configuration', 400, {
    closeCode: 4400,
    cause: 'The agent’s organization has no telephony configuration for this provider and domain.',
    cure: 'Create one (POST /api/v1/telephony-configs) with the domain_id that Cloudonix sends.',
  }),
  'missing-bearer-token': entry('Telephony configuration is missing its bearer token', 400, {
    closeCode: 4400,
    cause: 'The matching telephony configuration holds no bearer_token.',
    cure: 'PATCH the configuration with the domain’s API key from the Cloudonix cockpit.',
  }),
  'session-validation-failed': entry('Session validation failed', 400, {
    closeCode: 4400,
    cause: 'The provider did not confirm that the call session is live: it is unknown, over, refused by the credential, or the provider did not answer in time.',
    cure: 'Check the bearer token and domain (POST /api/v1/telephony-configs/{id}/test); the run’s events hold the provider’s status.',
  }),
  'duplicate-start': entry('Second start with other identifiers', 400, {
    closeCode: 4400,
    cause: 'A second start event named another stream or session than the first.',
    cure: 'Open one socket per stream.',
  }),
  'too-many-malformed-messages': entry('Too many malformed messages', 400, {
    closeCode: 4400,
    cause: 'More than 100 messages in a minute could not be understood.',
    cure: 'Compare the stream with docs/protocol.md.',
  }),
  'handshake-timeout': entry('Handshake timeout', 408, {
    closeCode: 4408,
    cause: 'connected and start did not arrive within 10 s of the upgrade.',
    cure: 'Send both at once after the socket opens.',
  }),
  'duplicate-stream': entry('This call already has a stream', 409, {
    closeCode: 4409,
    cause: 'Another socket is bound to the same provider session.',
    cure: 'Open one socket per call; end the first before opening another.',
  }),
  // Vendors and providers
  'provider-rate-limited': entry('The telephony provider limits requests', 503, {
    retryable: true,
    cause: 'The provider answered 429, or this server’s own bucket for the domain is empty.',
    cure: 'Lower the rate of calls or ask the provider for a higher limit.',
  }),
  'provider-rejected': entry('The telephony provider refused the request', 502, {
    cause: 'The provider answered with a client error.',
    cure: 'Check the credential’s scope and the request’s arguments.',
  }),
  'provider-unreachable': entry('The telephony provider did not answer', 502, {
    retryable: true,
    cause: 'Time-out, connection failure or a server error at the provider.',
    cure: 'Check the provider’s status page and this server’s egress.',
  }),
  'transfer-unsupported': entry('The provider cannot transfer this call', 409, {
    cause: 'The provider, or this kind of call, has no transfer.',
    cure: 'See capabilities in GET /api/v1/telephony-providers.',
  }),
  'transfer-invalid-destination': entry('Transfer destination is not valid', 422, {
    cause: 'The destination is neither an E.164 number nor a SIP URI.',
    cure: 'Use +15551234567 or sip:user@host.',
  }),
  'vendor-unauthorized': entry('The vendor refused the API key', 502, {
    cause: 'The vendor answered 401 or 403.',
    cure: 'Check the key and its scopes.',
  }),
  'vendor-rate-limited': entry('The vendor limits requests', 502, {
    retryable: true,
    cause: 'The vendor answered 429.',
    cure: 'Raise the vendor quota or configure a fallback.',
  }),
  'vendor-rejected': entry('The vendor refused the request', 502, {
    cause: 'The vendor answered with a client error.',
    cure: 'Check the model name and options of this leg.',
  }),
  'vendor-unreachable': entry('The vendor did not answer', 502, {
    retryable: true,
    cause: 'Time-out, connection failure, or a server error at the vendor.',
    cure: 'Check the vendor’s status; configure a fallback.',
  }),
  'vendor-protocol': entry('The vendor sent something unexpected', 502, {
    retryable: true,
    cause: 'The vendor’s answer does not follow its published protocol.',
    cure: 'Check the base URL; report it with the run’s events.',
  }),
  'egress-refused': entry('The address is not allowed', 422, {
    cause: 'The host resolves to a private, loopback or otherwise internal address.',
    cure: 'Use a public address, or set AGENT_STREAM_ALLOW_PRIVATE_NETWORKS=true on a trusted network.',
  }),
  // Tools
  'tool-timeout': entry('The tool took too long', 504, {
    cause: 'A tool did not answer within its timeout_ms.',
    cure: 'Make what it calls faster, or raise timeout_ms. Give the tool a filler, so that the caller knows.',
  }),
  'tool-unreachable': entry('The tool could not be reached', 502, {
    retryable: true,
    cause: 'The address a tool calls does not resolve or answer, the connection broke, or it answered 502 or 503.',
    cure: 'Check the tool’s url with POST /api/v1/tools/{uuid}/test.',
  }),
  'tool-failed': entry('The tool failed', 502, {
    cause: 'What a tool calls gave an answer that cannot be used, or its configuration does not fit the call.',
    cure: 'Try it with POST /api/v1/tools/{uuid}/test, and read the result.',
  }),
  // API
  'not-found': entry('Not found', 404, { cause: 'No such thing in your organization.', cure: 'Check the id.' }),
  'not-authenticated': entry('Authentication required', 401, {
    cause: 'No API key, or an unknown, expired or deleted one.',
    cure: 'Send Authorization: Bearer KEY.',
  }),
  'not-allowed': entry('Not allowed', 403, { cause: 'The API key lacks the scope.', cure: 'Use a key with the scope.' }),
  'invalid-request': entry('Invalid request', 422, {
    cause: 'The body, query or path does not match the schema.',
    cure: 'See errors[] for each field; the schema is at /api/v1/openapi.json.',
  }),
  'workflow-invalid': entry('The workflow has problems', 422, {
    cause: 'The agent document cannot run as it is.',
    cure: 'See errors[]: each names node or edge, field and cure.',
  }),
  conflict: entry('Conflict', 409, { cause: 'Another change came first, or the name is taken.', cure: 'Read again and retry.' }),
  'precondition-failed': entry('The document has changed', 412, {
    cause: 'If-Match names another state of the document than the stored one.',
    cure: 'Read it again, apply the change to what was read, and send its ETag.',
  }),
  'body-too-large': entry('Request body too large', 413, {
    cause: 'The body exceeds 1 MB.',
    cure: 'Send less.',
  }),
  'document-unreadable': entry('The file cannot be read', 422, {
    cause: 'The file is broken, protected, empty, not what its name says, or larger than a document may be. `detail` says which.',
    cure: 'Do what `detail` says; docs/knowledge.md has the formats and their limits.',
  }),
  'clip-unreadable': entry('The recording cannot be read', 422, {
    cause: 'The file is no WAV file, is broken, empty or too long, or its samples are written in a way that is not read. `detail` says which.',
    cure: 'Do what `detail` says; docs/audio-clips.md has the formats and their limits.',
  }),
  'unsupported-media-type': entry('Unsupported content type', 415, {
    cause: 'The body’s Content-Type is not one this path reads.',
    cure: 'Send Content-Type: application/json.',
  }),
  'method-not-allowed': entry('Method not allowed', 405, {
    cause: 'The path exists, but not with this method.',
    cure: 'See the Allow header and /api/v1/openapi.json.',
  }),
  'upgrade-required': entry('WebSocket upgrade required', 426, {
    cause: 'The stream path was requested without a WebSocket upgrade.',
    cure: 'Give the URL to the telephony provider’s media stream; a proxy in between must pass the Upgrade header on.',
  }),
  'not-ready': entry('Not ready', 503, {
    retryable: true,
    cause: 'The database does not answer.',
    cure: 'See the server’s log; liveness is at /healthz.',
  }),
  'rate-limited': entry('Too many requests', 429, {
    retryable: true,
    cause: 'This client sent too many requests.',
    cure: 'Wait for Retry-After seconds.',
  }),
  'run-not-live': entry('The call is not live', 409, {
    cause: 'The run has ended, or its node does not answer.',
    cure: 'Live control works while the run is running.',
  }),
  'configuration-invalid': entry('Invalid configuration', 500, {
    cause: 'An environment variable has an unknown name or a bad value.',
    cure: 'See docs/configuration.md.',
  }),
  'database-unavailable': entry('The database cannot be used', 503, {
    retryable: true,
    cause: 'The embedded database does not start, or the server named by DATABASE_URL does not answer.',
    cure: 'Read the message and the database’s log; check the data directory’s disk and permissions, or DATABASE_URL.',
  }),
  'data-directory-in-use': entry('Another server uses this data directory', 500, {
    cause: 'The embedded database serves one agent-stream server at a time.',
    cure: 'Stop the other server, set another AGENT_STREAM_DATA_DIR, or share one PostgreSQL through DATABASE_URL.',
  }),
  'secret-key-mismatch': entry('A stored credential cannot be opened', 500, {
    cause: 'AGENT_STREAM_SECRET_KEY differs from the key that sealed it.',
    cure: 'Restore the former key, or store the credential again.',
  }),
};

/** The catalogue, typed by its codes. */
export const errorCatalogue: Readonly<Record<ErrorCode, ErrorEntry>> = entries;

/** Stable kebab-case identifier of an error. */
export type ErrorCode = keyof typeof entries;
