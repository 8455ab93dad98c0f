import { randomUUID } from 'node:crypto';
import { asRecord, type JsonRecord } from '../../../src/base/json.js';
import { isKey, startFakeRecogniser, type FakeRecogniser, type FakeRecogniserOptions, type RecogniserProtocol, type RecogniserSession } from './recogniser-server.js';
import type { Recogniser, Recognition } from './segment-recogniser.js';

/** Less than this much audio is not committed, ms. */
const MIN_COMMIT_MS = 100;
/** What an item of detected speech holds of the silence before it, ms. */
const PREFIX_MS = 300;

const isStreaming = (model: string) => /^gpt-(live-transcribe|realtime-whisper)/.test(model);

/** What a session may be updated to; the vendor's words for what it refuses. */
function refusalOf(session: JsonRecord): string | null {
  const { format, transcription, turn_detection: turnDetection } = asRecord(asRecord(session['audio'])['input']);
  const { model, prompt, keywords, language, languages } = asRecord(transcription);
  const unknown = Object.keys(asRecord(transcription)).filter((key) => !['model', 'prompt', 'keywords', 'language', 'languages', 'delay'].includes(key));
  if (session['type'] !== 'transcription') return 'Passing a realtime session update event to a transcription session is not allowed.';
  if (!['audio/pcm', 'audio/pcmu', 'audio/pcma'].includes(String(asRecord(format)['type']))) return 'Invalid value for audio.input.format.type.';
  if (typeof model !== 'string') return "Missing required parameter: 'session.audio.input.transcription.model'.";
  if (unknown.length > 0) return `Unknown parameter: 'session.audio.input.transcription.${unknown[0]}'.`;
  if (turnDetection !== null && turnDetection !== undefined && isStreaming(model)) return 'Turn detection is not supported for this transcription model.';
  if (prompt !== undefined && model === 'gpt-realtime-whisper') return 'Prompt is not supported for this transcription model.';
  if ((keywords !== undefined || languages !== undefined) && !/^gpt-(live-)?transcribe/.test(model)) return 'Keywords and languages are not supported for this transcription model.';
  return language !== undefined && languages !== undefined ? 'Only one of language and languages may be given.' : null;
}

/** A running session: its recogniser and its items. */
function listenTo(session: RecogniserSession, input: JsonRecord) {
  const { type: detection, silence_duration_ms: silenceMs } = asRecord(input['turn_detection']);
  const isDetecting = detection !== undefined;
  const streams = isStreaming(String(asRecord(input['transcription'])['model']));
  let itemId = `item_${randomUUID()}`;
  let previousId: string | null = null;
  let isOpen = false;
  let written = '';
  let committedMs = 0;
  const event = (type: string, fields: object) => ({ type, event_id: `event_${randomUUID()}`, ...fields });
  const transcription = (kind: string, fields: object) => event(`conversation.item.input_audio_transcription.${kind}`, { item_id: itemId, content_index: 0, ...fields });

  function open(recognition: Recognition): void {
    if (isOpen) return;
    isOpen = true;
    const startMs = Math.max(committedMs, Math.round(recognition.speechStartMs) - PREFIX_MS);
    session.send(event('input_audio_buffer.speech_started', { audio_start_ms: startMs, item_id: itemId }));
  }

  function write(recognition: Recognition): void {
    const delta = recognition.text.startsWith(written) ? recognition.text.slice(written.length) : '';
    written += delta;
    if (delta !== '') session.sendResult(transcription('delta', { delta }), recognition);
  }

  function commit(recognition: Recognition): void {
    if (isDetecting && recognition.isSpeechFinal) {
      session.send(event('input_audio_buffer.speech_stopped', { audio_end_ms: Math.round(recognition.endMs), item_id: itemId }));
    }
    session.send(event('input_audio_buffer.committed', { previous_item_id: previousId, item_id: itemId }));
    session.send(event('conversation.item.added', { previous_item_id: previousId, item: { id: itemId, type: 'message', role: 'user', content: [{ type: 'input_audio', transcript: null }] } }));
    committedMs = recognition.endMs;
    write(recognition);
    const usage = { type: 'duration', seconds: Math.ceil(session.audioSeconds()) };
    session.sendResult(transcription('completed', { transcript: recognition.text, usage }), recognition);
    previousId = itemId;
    itemId = `item_${randomUUID()}`;
    written = '';
    isOpen = false;
  }

  const recogniser: Recogniser = session.listen({
    endpointingMs: isDetecting ? Number(silenceMs ?? 500) : Infinity,
    silenceReportMs: Infinity,
    interimMs: isDetecting ? 100 : 400,
    report(recognition) {
      if (isDetecting) open(recognition);
      if (recognition.isFinal) commit(recognition);
      else if (streams) write(recognition);
    },
  });
  return {
    commit() {
      const heldMs = session.audioSeconds() * 1000 - committedMs;
      if (heldMs >= MIN_COMMIT_MS && (!isDetecting || isOpen)) {
        recogniser.finalize();
        return;
      }
      const message = `Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has ${heldMs.toFixed(2)}ms of audio.`;
      session.send(event('error', { error: { type: 'invalid_request_error', code: 'input_audio_buffer_commit_empty', message, param: null, event_id: null } }));
    },
  };
}

/** Sessions of `/v1/realtime?intent=transcription` (developers.openai.com/api/docs/guides/realtime-transcription). */
function serveSession(session: RecogniserSession): (message: Record<string, unknown>) => void {
  const { controls, messages } = session.connection;
  const id = `sess_${randomUUID()}`;
  let running: ReturnType<typeof listenTo> | null = null;
  const describe = (type: string, settings: JsonRecord) =>
    session.send({ type, event_id: `event_${randomUUID()}`, session: { object: 'realtime.transcription_session', id, type: 'transcription', ...settings } });
  const fail = (code: string | null, message: string) =>
    session.send({ type: 'error', event_id: `event_${randomUUID()}`, error: { type: 'invalid_request_error', code, message, param: null, event_id: null } });
  describe('session.created', { audio: { input: { format: { type: 'audio/pcm', rate: 24_000 }, transcription: null, turn_detection: { type: 'server_vad' } } } });

  return (message) => {
    const { type } = message;
    if (type === 'input_audio_buffer.append') {
      if (running === null) fail(null, 'Audio came before the session was configured.');
      else session.hear(Buffer.from(String(message['audio']), 'base64'));
      return;
    }
    controls.push(String(type));
    messages.push(message);
    if (type === 'session.update') {
      const settings = asRecord(message['session']);
      const refusal = refusalOf(settings);
      if (refusal !== null) {
        fail('invalid_value', refusal);
        return;
      }
      running = listenTo(session, asRecord(asRecord(settings['audio'])['input']));
      describe('session.updated', settings);
    } else if (type === 'input_audio_buffer.commit' && running !== null) running.commit();
    else fail('invalid_value', `Invalid value: '${String(type)}'.`);
  };
}

const protocol: RecogniserProtocol = {
  refuse({ url, headers }, apiKey) {
    if (url.pathname !== '/v1/realtime') return { kind: 'http', status: 404 };
    if (!isKey(headers.authorization, apiKey === undefined ? undefined : `Bearer ${apiKey}`)) return { kind: 'http', status: 401 };
    // "You must not provide a model parameter for transcription sessions."
    return url.searchParams.get('intent') === 'transcription' && !url.searchParams.has('model') ? null : { kind: 'http', status: 400 };
  },
  idleClose: { code: 1001, reason: 'going away' },
  serve: serveSession,
};

/** A server that speaks OpenAI's realtime transcription protocol, with 8 kHz mu-law. */
export function startFakeOpenaiRealtime(options: FakeRecogniserOptions = {}): Promise<FakeRecogniser> {
  return startFakeRecogniser(protocol, options);
}
