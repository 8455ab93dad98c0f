import { randomUUID } from 'node:crypto';
import { isKey, startFakeRecogniser, type FakeRecogniser, type FakeRecogniserOptions, type RecogniserProtocol, type RecogniserSession } from './recogniser-server.js';
import { wordTimes, type Recognition } from './segment-recogniser.js';

const INTERIM_MS = 240;
const MIN_COMMIT_SECONDS = 0.3;

const parameters = new Set([
  'model_id', 'audio_format', 'language_code', 'commit_strategy', 'include_timestamps', 'include_language_detection', 'vad_silence_threshold_secs',
  'vad_threshold', 'min_speech_duration_ms', 'min_silence_duration_ms', 'keyterms', 'no_verbatim', 'enable_logging',
]);

/** Words and the spaces between them, times in seconds. */
function timedWords(recognition: Recognition): object[] {
  return wordTimes(recognition).flatMap(({ word, startMs, endMs }, index) => {
    const timed = { text: word, start: startMs / 1000, end: endMs / 1000, type: 'word', logprob: -0.01 };
    return index === 0 ? [timed] : [{ text: ' ', start: startMs / 1000, end: startMs / 1000, type: 'spacing', logprob: 0 }, timed];
  });
}

/** Why a session is refused; null: it is not. */
function refusalOf(query: URLSearchParams): string | null {
  if (query.get('model_id') !== 'scribe_v2_realtime') return 'A valid model_id is required.';
  if (query.get('audio_format') !== 'ulaw_8000') return 'The audio_format is not supported here.';
  const silence = Number(query.get('vad_silence_threshold_secs') ?? 1.5);
  if (!(silence >= 0.3 && silence <= 3)) return 'vad_silence_threshold_secs must be between 0.3 and 3.0.';
  const terms = query.getAll('keyterms');
  if (terms.length > 50 || terms.some((term) => term.length > 20)) return 'Too many keyterms, or too long ones.';
  return [...query.keys()].every((name) => parameters.has(name)) ? null : 'An unknown parameter.';
}

/** Sessions of `/v1/speech-to-text/realtime`: audio and commits come as JSON. */
function serveSession(session: RecogniserSession, apiKey: string | undefined): (message: Record<string, unknown>) => void {
  const { query, headers, controls, messages } = session.connection;
  const isManual = (query.get('commit_strategy') ?? 'manual') === 'manual';
  const hasTimes = query.get('include_timestamps') === 'true';
  let isCommitting = false;
  let committedSeconds = 0;
  const fail = (message_type: string, error: string) => {
    session.send({ message_type, error });
    session.close(1000, message_type);
  };
  const recogniser = session.listen({
    endpointingMs: isManual ? Infinity : Number(query.get('vad_silence_threshold_secs') ?? 1.5) * 1000,
    interimMs: INTERIM_MS,
    report(recognition) {
      const { text } = recognition;
      if (!recognition.isFinal) session.sendResult({ message_type: 'partial_transcript', text }, recognition);
      else if (text !== '' || isCommitting) {
        session.sendResult({ message_type: 'committed_transcript', text }, recognition);
        const timed = { message_type: 'committed_transcript_with_timestamps', text, language_code: query.get('language_code') ?? 'en', words: timedWords(recognition) };
        if (hasTimes) session.sendResult(timed, { ...recognition, text: '' });
      }
    },
  });
  const refusal = refusalOf(query);
  if (!isKey(headers['xi-api-key'], apiKey)) fail('auth_error', 'You must be authenticated to use this endpoint.');
  else if (refusal !== null) fail('invalid_request', refusal);
  else session.send({ message_type: 'session_started', session_id: randomUUID(), config: { model_id: query.get('model_id'), audio_format: 'ulaw_8000', sample_rate: 8000 } });

  function commit(): void {
    controls.push('commit');
    const seconds = session.audioSeconds() - committedSeconds;
    if (seconds < MIN_COMMIT_SECONDS) {
      fail('commit_throttled', `Commit request ignored: only ${seconds.toFixed(2)}s of uncommitted audio. You need at least 0.3s of uncommitted audio before committing.`);
      return;
    }
    committedSeconds = session.audioSeconds();
    isCommitting = true;
    recogniser.finalize();
    isCommitting = false;
  }

  return (message) => {
    if (message['message_type'] !== 'input_audio_chunk' || typeof message['audio_base_64'] !== 'string' || message['sample_rate'] !== 8000) {
      fail('input_error', 'The message is not an input_audio_chunk of this session.');
      return;
    }
    messages.push(message);
    const audio = Buffer.from(message['audio_base_64'], 'base64');
    if (audio.length > 0) session.hear(audio);
    if (message['commit'] === true && isManual) commit();
  };
}

const protocol: RecogniserProtocol = {
  refuse: ({ url }) => (url.pathname === '/v1/speech-to-text/realtime' ? null : { kind: 'http', status: 404 }),
  idleClose: { code: 1000, reason: 'insufficient_audio_activity' },
  serve: serveSession,
};

/** A server that speaks the protocol of ElevenLabs' real-time recogniser, Scribe. */
export function startFakeElevenlabsScribe(options: FakeRecogniserOptions = {}): Promise<FakeRecogniser> {
  return startFakeRecogniser(protocol, options);
}
