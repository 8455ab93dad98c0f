import { randomUUID } from 'node:crypto';
import { isKey, startFakeRecogniser, type FakeRecogniser, type FakeRecogniserOptions, type RecogniserProtocol, type RecogniserSession } from './recogniser-server.js';
import { wordTimes, type Recognition } from './segment-recogniser.js';

const DEFAULT_TURN_SILENCE_MS = 400;

/** Sessions of `/v3/ws` (assemblyai.com/docs/streaming/message-sequence). */
function serveSession(session: RecogniserSession, apiKey: string | undefined): (message: Record<string, unknown>) => void {
  const { query, headers, controls, messages } = session.connection;
  const isFormatted = query.get('format_turns') === 'true';
  let turn = 0;
  const fail = (code: number, error: string) => {
    session.send({ type: 'Error', error_code: code, error });
    session.close(code, error);
  };
  const sendTurn = (recognition: Recognition, isOver: boolean, isWrittenOut: boolean) => {
    const words = wordTimes(recognition).map(({ word, startMs, endMs }, index, all) => ({
      text: word,
      start: Math.round(startMs),
      end: Math.round(endMs),
      confidence: 0.99,
      // The newest word of an open turn may still change.
      word_is_final: isOver || index < all.length - 1,
    }));
    const settled = words.filter((word) => word.word_is_final).map(({ text }) => text).join(' ');
    session.sendResult(
      {
        type: 'Turn',
        turn_order: turn,
        turn_is_formatted: isWrittenOut,
        end_of_turn: isOver,
        transcript: isWrittenOut ? `${settled.charAt(0).toUpperCase()}${settled.slice(1)}.` : settled,
        end_of_turn_confidence: isOver ? 0.9 : 0.1,
        words,
      },
      recognition,
    );
  };
  const recogniser = session.listen({
    endpointingMs: Number(query.get('min_turn_silence') ?? DEFAULT_TURN_SILENCE_MS),
    report(recognition) {
      // Nothing is said of silence.
      if (recognition.text === '') return;
      sendTurn(recognition, recognition.isFinal, false);
      if (!recognition.isFinal) return;
      if (isFormatted) sendTurn(recognition, true, true);
      turn += 1;
    },
  });
  if (!isKey(headers.authorization, apiKey)) fail(1008, 'Unauthorized Connection: Missing Authorization header');
  else if (!query.has('speech_model') || query.get('encoding') !== 'pcm_mulaw' || query.get('sample_rate') !== '8000') fail(3006, 'Bad connection parameters');
  else session.send({ type: 'Begin', id: randomUUID(), expires_at: 4_102_444_800 });

  return (message) => {
    const { type } = message;
    controls.push(String(type));
    messages.push(message);
    if (type === 'ForceEndpoint') recogniser.finalize();
    else if (type === 'Terminate') {
      recogniser.finalize();
      session.send({ type: 'Termination', audio_duration_seconds: session.audioSeconds(), session_duration_seconds: session.audioSeconds() });
      session.close(1000);
    } else if (type !== 'UpdateConfiguration' && type !== 'KeepAlive') fail(3006, `Invalid Message Type: ${String(type)}`);
  };
}

const protocol: RecogniserProtocol = {
  refuse: ({ url }) => (url.pathname === '/v3/ws' ? null : { kind: 'http', status: 404 }),
  // Only where inactivity_timeout asks for it; here it shows that nobody relies on an idle session.
  idleClose: { code: 3005, reason: 'Session Cancelled: An error occurred' },
  audioLimits: { minBytes: 400, maxBytes: 8000, code: 3007, reason: 'Input duration violation' },
  serve: serveSession,
};

/** A server that speaks AssemblyAI's streaming protocol. */
export function startFakeAssemblyai(options: FakeRecogniserOptions = {}): Promise<FakeRecogniser> {
  return startFakeRecogniser(protocol, options);
}
