import { randomUUID } from 'node:crypto';
import { asRecord } from '../../../src/base/json.js';
import { isKey, startFakeRecogniser, type FakeRecogniser, type FakeRecogniserOptions, type RecogniserProtocol, type RecogniserSession } from './recogniser-server.js';
import { wordTimes, type Recognition } from './segment-recogniser.js';

const SERVER_FORMAT = '2.9';
const INTERIM_MS = 240;

const startFields = new Set(['message', 'audio_format', 'transcription_config', 'translation_config', 'audio_events_config']);
const configFields = new Set(['language', 'output_locale', 'model', 'operating_point', 'enable_partials', 'max_delay', 'max_delay_mode', 'conversation_config', 'additional_vocab', 'diarization']);

interface FakeResult {
  readonly type: 'word' | 'punctuation';
  readonly start_time: number;
  readonly end_time: number;
  readonly attaches_to?: 'previous';
  readonly is_eos?: boolean;
  readonly alternatives: readonly { readonly content: string; readonly confidence: number; readonly language: string }[];
}

function wordResults(recognition: Recognition, language: string): FakeResult[] {
  return wordTimes(recognition).map(({ word, startMs, endMs }) => ({
    type: 'word',
    start_time: startMs / 1000,
    end_time: endMs / 1000,
    alternatives: [{ content: word, confidence: 0.99, language }],
  }));
}

/** The full stop that ends a sentence: it has no length. */
function fullStop(atMs: number, language: string): FakeResult {
  const atSeconds = atMs / 1000;
  return { type: 'punctuation', start_time: atSeconds, end_time: atSeconds, attaches_to: 'previous', is_eos: true, alternatives: [{ content: '.', confidence: 1, language }] };
}

function transcriptMessage(message: 'AddTranscript' | 'AddPartialTranscript', recognition: Recognition, results: readonly FakeResult[]): object {
  const transcript = results.map(({ alternatives, type }) => (type === 'word' ? `${alternatives[0]!.content} ` : alternatives[0]!.content)).join('');
  const metadata = { start_time: recognition.startMs / 1000, end_time: recognition.endMs / 1000, transcript };
  return { message, format: SERVER_FORMAT, metadata, results };
}

/** Why a StartRecognition is refused: an Error type; null: it is not. */
function refusalOf(message: Record<string, unknown>): string | null {
  if (message['message'] !== 'StartRecognition') return 'protocol_error';
  const format = asRecord(message['audio_format']);
  const config = asRecord(message['transcription_config']);
  if (format['type'] !== 'raw' || format['encoding'] !== 'mulaw' || format['sample_rate'] !== 8000) return 'invalid_audio_type';
  if (typeof config['language'] !== 'string' || !/^[a-z]{2,3}$/.test(config['language'])) return 'invalid_model';
  const areFieldsKnown = Object.keys(message).every((name) => startFields.has(name)) && Object.keys(config).every((name) => configFields.has(name));
  const delay = config['max_delay'] ?? 4;
  const trigger = asRecord(config['conversation_config'])['end_of_utterance_silence_trigger'] ?? 0;
  const isDelayTaken = typeof delay === 'number' && delay >= 0.7 && delay <= 4;
  return areFieldsKnown && isDelayTaken && typeof trigger === 'number' && trigger >= 0 && trigger <= 2 ? null : 'invalid_config';
}

/** Sessions of `/v2` (docs.speechmatics.com/api-ref/realtime-transcription-websocket): StartRecognition first, then audio, each acknowledged. */
function serveSession(session: RecogniserSession): (message: Record<string, unknown>) => void {
  const { controls, messages, audioSizes } = session.connection;
  let recogniser: ReturnType<RecogniserSession['listen']> | null = null;
  let isForced = false;
  const fail = (type: string) => {
    session.send({ message: 'Error', type, reason: `Refused: ${type}` });
    session.close(type === 'not_authorised' ? 4001 : 1003, type);
  };
  const endUtterance = (atMs: number) => ({ message: 'EndOfUtterance', metadata: { start_time: atMs / 1000, end_time: atMs / 1000 } });

  function start(message: Record<string, unknown>): void {
    const refusal = refusalOf(message);
    if (refusal !== null) {
      fail(refusal);
      return;
    }
    const config = asRecord(message['transcription_config']);
    const language = String(config['language']);
    const triggerMs = Number(asRecord(config['conversation_config'])['end_of_utterance_silence_trigger'] ?? 0) * 1000;
    recogniser = session.listen({
      endpointingMs: triggerMs === 0 ? Infinity : triggerMs,
      interimMs: INTERIM_MS,
      report(recognition) {
        const words = wordResults(recognition, language);
        if (!recognition.isFinal) {
          if (config['enable_partials'] === true) session.sendResult(transcriptMessage('AddPartialTranscript', recognition, words), recognition);
          return;
        }
        if (words.length > 0) {
          // Finals come as they are ready: the first words, the rest, and the mark that ends the sentence by itself.
          const half = Math.ceil(words.length / 2);
          const pieces = [words.slice(0, half), words.slice(half), [fullStop(recognition.speechEndMs, language)]].filter((piece) => piece.length > 0);
          for (const piece of pieces) session.sendResult(transcriptMessage('AddTranscript', recognition, piece), recognition);
        }
        // Silence that nobody asked about ends no utterance.
        if (words.length > 0 || isForced) session.sendResult(endUtterance(recognition.endMs), { ...recognition, text: '' });
      },
    });
    session.send({ message: 'RecognitionStarted', id: randomUUID(), orchestrator_version: '2026.01', language_pack_info: { word_delimiter: ' ', writing_direction: 'left-to-right' } });
    session.send({ message: 'Info', type: 'recognition_quality', quality: 'telephony', reason: 'Running recognition using a telephony model.' });
  }

  return (message) => {
    messages.push(message);
    const name = String(message['message']);
    if (recogniser === null) {
      start(message);
      return;
    }
    controls.push(name);
    if (name === 'ForceEndOfUtterance') {
      isForced = true;
      recogniser.finalize();
      isForced = false;
    } else if (name === 'EndOfStream') {
      if (message['last_seq_no'] !== audioSizes.length) {
        fail('protocol_error');
        return;
      }
      recogniser.finalize();
      session.send({ message: 'EndOfTranscript' });
      session.close(1000);
    } else fail('invalid_message');
  };
}

const protocol: RecogniserProtocol = {
  refuse({ url, headers }, apiKey) {
    if (url.pathname !== '/v2') return { kind: 'http', status: 404 };
    // A server sends the key, a browser a short-lived token.
    const given = url.searchParams.get('jwt') ?? headers.authorization?.replace(/^Bearer /, '');
    return isKey(given, apiKey) ? null : { kind: 'http', status: 401 };
  },
  idleClose: { code: 1008, reason: 'idle_timeout' },
  acknowledge: (count) => ({ message: 'AudioAdded', seq_no: count }),
  serve: serveSession,
};

/** A server that speaks Speechmatics' real-time protocol. */
export function startFakeSpeechmatics(options: FakeRecogniserOptions = {}): Promise<FakeRecogniser> {
  return startFakeRecogniser(protocol, options);
}
