import { isKey, startFakeRecogniser, type FakeRecogniser, type FakeRecogniserOptions, type RecogniserProtocol, type RecogniserSession } from './recogniser-server.js';
import { wordTimes, type Recognition } from './segment-recogniser.js';

const DEFAULT_ENDPOINT_MS = 400;

interface FakeToken {
  readonly text: string;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly confidence: number;
}

/** Words in pieces: the first three letters, then the rest, as a tokenizer may cut them. */
function tokensOf(recognition: Recognition): FakeToken[] {
  return wordTimes(recognition).flatMap(({ word, startMs, endMs }) => {
    const middleMs = Math.round((startMs + endMs) / 2);
    const pieces = [
      { text: ` ${word.slice(0, 3)}`, start_ms: Math.round(startMs), end_ms: middleMs, confidence: 0.99 },
      { text: word.slice(3), start_ms: middleMs, end_ms: Math.round(endMs), confidence: 0.98 },
    ];
    return pieces.filter(({ text }) => text !== '');
  });
}

const marker = (text: string) => ({ text, start_ms: 0, end_ms: 0, confidence: 1, is_final: true });

/** Sessions of `/transcribe-websocket` (soniox.com/docs/api-reference/stt/websocket-api): the first text frame configures, then audio. */
function serveSession(session: RecogniserSession, apiKey: string | undefined): (message: Record<string, unknown>) => void {
  const { headers, controls, messages } = session.connection;
  let isStarted = false;
  /** Tokens of the open segment that were sent as final: they never come again. */
  let finals = 0;
  const fail = (code: number, text: string) => {
    session.send({ error_code: code, error_message: text });
    session.close(1000);
  };
  const report = (recognition: Recognition) => {
    const tokens = tokensOf(recognition);
    const response = { final_audio_proc_ms: recognition.isFinal ? recognition.endMs : recognition.startMs, total_audio_proc_ms: recognition.endMs };
    if (!recognition.isFinal) {
      // All but the last words are settled while the rest is still provisional.
      const settled = Math.max(finals, tokens.length - 4);
      const sent = tokens.slice(finals).map((token, index) => ({ ...token, is_final: finals + index < settled }));
      finals = settled;
      session.sendResult({ tokens: sent, ...response }, recognition);
      return;
    }
    const sent = tokens.slice(finals).map((token) => ({ ...token, is_final: true }));
    finals = 0;
    const end = recognition.isSpeechFinal ? [marker('<end>')] : [];
    session.sendResult({ tokens: [...sent, ...end], ...response }, recognition);
  };
  const recogniser = session.listen({ endpointingMs: DEFAULT_ENDPOINT_MS, report });
  const start = (message: Record<string, unknown>) => {
    isStarted = true;
    if (!isKey(headers.authorization, apiKey === undefined ? undefined : `Bearer ${apiKey}`)) fail(401, 'Incorrect API key provided.');
    else if (typeof message['model'] !== 'string') fail(400, 'Invalid model specified.');
    else if (message['audio_format'] !== 'mulaw' || message['sample_rate'] !== 8000 || message['num_channels'] !== 1) fail(400, 'Audio format is not supported.');
  };

  return (message) => {
    messages.push(message);
    if (!isStarted) {
      start(message);
      return;
    }
    const type = 'type' in message ? String(message['type']) : 'end';
    controls.push(type);
    if (type === 'finalize') {
      recogniser.finalize();
      session.afterResults(() => {
        const nowMs = Math.round(session.audioSeconds() * 1000);
        session.send({ tokens: [marker('<fin>')], final_audio_proc_ms: nowMs, total_audio_proc_ms: nowMs });
      });
    } else if (type === 'end') {
      recogniser.finalize();
      session.send({ tokens: [], final_audio_proc_ms: 0, total_audio_proc_ms: 0, finished: true });
      session.close(1000);
    } else if (type !== 'keepalive') fail(400, 'Control request invalid type.');
  };
}

const protocol: RecogniserProtocol = {
  refuse: ({ url }) => (url.pathname === '/transcribe-websocket' ? null : { kind: 'http', status: 404 }),
  idleClose: { code: 1000, reason: 'Request timeout' },
  serve: serveSession,
};

/** A server that speaks Soniox's real-time protocol. */
export function startFakeSoniox(options: FakeRecogniserOptions = {}): Promise<FakeRecogniser> {
  return startFakeRecogniser(protocol, options);
}
