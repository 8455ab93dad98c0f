import { randomUUID } from 'node:crypto';
import { isKey, startFakeRecogniser, type FakeRecogniser, type FakeRecogniserOptions, type RecogniserProtocol, type RecogniserSession } from './recogniser-server.js';
import { wordTimes, type Recognition } from './segment-recogniser.js';

export type { FakeRecogniser as FakeDeepgram, FakeRecogniserOptions as FakeDeepgramOptions, RecogniserFault as DeepgramFault } from './recogniser-server.js';

function resultsMessage(recognition: Recognition, requestId: string, model: string): object {
  const words = wordTimes(recognition);
  return {
    type: 'Results',
    channel_index: [0, 1],
    duration: (recognition.endMs - recognition.startMs) / 1000,
    start: recognition.startMs / 1000,
    is_final: recognition.isFinal,
    speech_final: recognition.isSpeechFinal,
    channel: {
      alternatives: [
        {
          transcript: recognition.text,
          confidence: words.length === 0 ? 0 : 0.99,
          words: words.map(({ word, startMs, endMs }) => ({
            word: word.toLowerCase().replace(/[^\p{L}\p{N}']/gu, ''),
            start: startMs / 1000,
            end: endMs / 1000,
            confidence: 0.99,
            punctuated_word: word,
          })),
        },
      ],
    },
    metadata: { request_id: requestId, model_info: { name: model, version: '2026-01-01.0', arch: 'nova-3' }, model_uuid: requestId },
    from_finalize: recognition.isFromFinalize,
  };
}

/** `/v1/listen`. */
function serveNova(session: RecogniserSession): (message: Record<string, unknown>) => void {
  const { query, controls } = session.connection;
  const requestId = randomUUID();
  const recogniser = session.listen({
    endpointingMs: Number(query.get('endpointing') ?? 10),
    report: (recognition) => session.sendResult(resultsMessage(recognition, requestId, query.get('model') ?? ''), recognition),
  });
  return ({ type }) => {
    controls.push(String(type));
    if (type === 'Finalize') recogniser.finalize();
    else if (type === 'CloseStream') {
      recogniser.finalize();
      session.send({ type: 'Metadata', transaction_key: 'deprecated', request_id: requestId, sha256: '', created: '', duration: session.audioSeconds(), channels: 1 });
      session.close(1000);
    }
  };
}

/** Silence that ends a turn here; the real one judges by the words too. */
const FLUX_END_MS = 160;
const FLUX_UPDATE_MS = 240;

/** `/v2/listen`: turns of TurnInfo (developers.deepgram.com/docs/flux/state). A word that is not known closes the connection. */
function serveFlux(session: RecogniserSession): (message: Record<string, unknown>) => void {
  const { query, controls } = session.connection;
  const requestId = randomUUID();
  const isEager = query.has('eager_eot_threshold');
  let sequence = 0;
  let turn = 0;
  let isOpen = false;
  let windowStartMs = 0;
  const envelope = () => ({ request_id: requestId, sequence_id: sequence++ });
  const turnInfo = (event: string, recognition: Recognition) => {
    const words = wordTimes(recognition).map(({ word, startMs, endMs }) => ({ word, confidence: 0.99, start: startMs / 1000, end: endMs / 1000 }));
    const message = {
      type: 'TurnInfo',
      event,
      ...envelope(),
      turn_index: turn,
      audio_window_start: windowStartMs / 1000,
      audio_window_end: recognition.endMs / 1000,
      transcript: recognition.text,
      words,
      end_of_turn_confidence: event === 'EndOfTurn' ? 0.9 : 0.1,
      ...(event === 'EndOfTurn' ? { trigger: 'model' } : {}),
    };
    session.sendResult(message, recognition);
  };
  const recogniser = session.listen({
    endpointingMs: FLUX_END_MS,
    silenceReportMs: FLUX_UPDATE_MS,
    interimMs: FLUX_UPDATE_MS,
    report(recognition) {
      if (recognition.text === '') {
        turnInfo('Update', recognition);
        return;
      }
      const ends = recognition.isSpeechFinal || recognition.isFromFinalize;
      if (!isOpen) turnInfo('StartOfTurn', { ...recognition, isFinal: ends });
      else if (!ends) turnInfo('Update', recognition);
      isOpen = !ends;
      if (!ends) return;
      if (isEager) turnInfo('EagerEndOfTurn', recognition);
      turnInfo('EndOfTurn', recognition);
      turn += 1;
      windowStartMs = recognition.endMs;
    },
  });
  session.send({ type: 'Connected', ...envelope() });
  return ({ type }) => {
    controls.push(String(type));
    if (type === 'CloseStream') {
      recogniser.finalize();
      session.close(1000);
      return;
    }
    session.send({ type: 'Error', ...envelope(), code: 'UNPARSABLE_CLIENT_MESSAGE', description: 'The client message is not known.' });
    session.close(1008, 'UNPARSABLE_CLIENT_MESSAGE');
  };
}

const fluxParameters = new Set(['model', 'encoding', 'sample_rate', 'eager_eot_threshold', 'eot_threshold', 'eot_timeout_ms', 'keyterm', 'language_hint', 'mip_opt_out', 'tag']);

const protocol: RecogniserProtocol = {
  refuse({ url, headers }, apiKey) {
    const isFlux = url.pathname === '/v2/listen';
    if (!isFlux && url.pathname !== '/v1/listen') return { kind: 'http', status: 404 };
    if (!isKey(headers.authorization, apiKey === undefined ? undefined : `Token ${apiKey}`)) return { kind: 'http', status: 401 };
    const isAudioKnown = url.searchParams.get('encoding') === 'mulaw' && url.searchParams.get('sample_rate') === '8000';
    const isModelHere = (url.searchParams.get('model') ?? '').startsWith('flux') === isFlux && url.searchParams.has('model');
    const isQueryKnown = !isFlux || [...url.searchParams.keys()].every((name) => fluxParameters.has(name));
    return isAudioKnown && isModelHere && isQueryKnown ? null : { kind: 'http', status: 400 };
  },
  idleClose: { code: 1011, reason: 'NET-0001' },
  serve: (session) => (session.connection.path === '/v2/listen' ? serveFlux(session) : serveNova(session)),
};

/** A server that speaks Deepgram's streaming protocols: Nova's and Flux's. */
export function startFakeDeepgram(options: FakeRecogniserOptions = {}): Promise<FakeRecogniser> {
  return startFakeRecogniser(protocol, options);
}
