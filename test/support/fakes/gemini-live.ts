import { Modality, type FunctionCall, type LiveClientMessage, type LiveServerContent, type LiveServerMessage, type Part } from '@google/genai';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { decodeMulaw, encodeMulaw } from '../../../src/audio/g711.js';
import { createResampler } from '../../../src/audio/resample.js';
import { createSpeechQueue, type VoicePace } from './speech-queue.js';
import { decodeCodedWords } from './speech-audio.js';
import { breakSocket, createFaultPlan, startVendorServer, type SocketFault, type UpgradeFault, type VendorServer } from './vendor-server.js';

const PATH = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';
const OUTPUT_HZ = 24_000;

/** What an answer says and does. */
export interface LiveScript {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly argumentsJson?: string }[];
  /** The connection is closed with 1011 and this reason instead: the vendor has no other way to report it. */
  readonly error?: string;
  /** The vendor says that it will close the connection, once the answer is complete. */
  readonly goesAway?: boolean;
}

/** What may go wrong with a connection. */
export type LiveFault =
  | { readonly upgrade: UpgradeFault }
  /** Happens once this much audio has come from the caller. */
  | { readonly socket: SocketFault; readonly afterAudioMs: number }
  /** Something that is not JSON in place of every message. */
  | { readonly messages: 'garbage' }
  /** The session is never set up. */
  | { readonly session: 'silent' };

/** How the fake behaves. */
export interface FakeGeminiLiveOptions extends VoicePace {
  readonly port?: number;
  readonly apiKey?: string;
  /** Hears the words in mu-law audio. Default: {@link decodeCodedWords}. */
  readonly transcribe?: (audio: Buffer) => string;
  /** What an answer is; `index` counts them on all connections, fixed words left out. Default: "I see." */
  readonly respond?: (index: number) => LiveScript;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => LiveFault | undefined;
}

/** Something the vendor remembers. */
export interface LiveMemory {
  readonly kind: 'caller-audio' | 'agent-audio' | 'user' | 'model' | 'result';
  readonly text: string;
  audioMs: number;
}

/** What one client did. */
export interface LiveConnection {
  readonly messages: LiveClientMessage[];
  /** Mu-law of the caller. */
  readonly audio: Buffer[];
  readonly remembered: LiveMemory[];
  /** What the vendor would refuse. */
  readonly problems: string[];
  /** Mu-law of the speech sent, before it was brought to 24 kHz. */
  readonly spoken: Buffer[];
  /** Instructions and functions that the model has at each answer. */
  readonly contexts: { readonly instructions: string; readonly tools: readonly string[] }[];
}

/** A server that speaks Google's Live API. */
export interface FakeGeminiLive extends VendorServer {
  readonly connections: readonly LiveConnection[];
}

const textOf = (content: unknown): string => ((content as { parts?: readonly Part[] } | undefined)?.parts ?? []).map(({ text }) => text ?? '').join('');

/** The words of a request for fixed words: what follows the instruction to say them. */
const fixedWords = (text: string): string | undefined => (text.startsWith('[Say the words below') ? text.split('\n\n').slice(1).join('\n\n') : undefined);

/** 8 kHz PCM back to the mu-law that it was made of. */
function mulawOf(base64: string): Buffer {
  const pcm = Buffer.from(base64, 'base64');
  return Buffer.from(encodeMulaw(new Int16Array(new Uint8Array(pcm).buffer)));
}

/** Starts the fake. */
export async function startFakeGeminiLive(options: FakeGeminiLiveOptions = {}): Promise<FakeGeminiLive> {
  const connections: LiveConnection[] = [];
  const faults = createFaultPlan(options.fault);
  let answers = 0;
  let calls = 0;

  function serve(socket: WebSocket, request: IncomingMessage): void {
    const connection: LiveConnection = { messages: [], audio: [], remembered: [], problems: [], spoken: [], contexts: [] };
    connections.push(connection);
    const fault = faults.of(request);
    let context = { instructions: '', tools: [] as readonly string[] };
    let audioMs = 0;
    /** The caller's audio of the activity that is open. */
    let activity: Buffer[] | null = null;
    let transcribed = '';
    let answer: { memory: LiveMemory | null; resampler: ReturnType<typeof createResampler> } | null = null;
    let openCalls: readonly FunctionCall[] = [];

    const send = (message: Partial<LiveServerMessage>) => socket.send(fault !== undefined && 'messages' in fault ? '}{ garbage' : Buffer.from(JSON.stringify(message)));
    const sendContent = (serverContent: LiveServerContent) => send({ serverContent });
    const speech = (pcm: Int16Array): LiveServerContent =>
      pcm.length === 0
        ? {}
        : { modelTurn: { role: 'model', parts: [{ inlineData: { mimeType: `audio/pcm;rate=${OUTPUT_HZ}`, data: Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString('base64') } }] } };
    const queue = createSpeechQueue(options, undefined, ({ audio, text, offsetMs }) => {
      if (answer === null) return;
      answer.memory ??= remember('agent-audio', text);
      if (offsetMs === 0) for (const word of text.split(/(?<= )/)) sendContent({ outputTranscription: { text: word } });
      answer.memory.audioMs += audio.length / 8;
      connection.spoken.push(Buffer.from(audio));
      sendContent(speech(answer.resampler.push(decodeMulaw(audio))));
    });

    function remember(kind: LiveMemory['kind'], text: string): LiveMemory {
      const memory = { kind, text, audioMs: 0 };
      connection.remembered.push(memory);
      return memory;
    }
    function begin(script: LiveScript): void {
      if (answer !== null) connection.problems.push('an answer was asked for while another one was on its way');
      connection.contexts.push(context);
      if (script.error !== undefined) return socket.close(1011, script.error);
      answer = { memory: null, resampler: createResampler(8000, OUTPUT_HZ) };
      if (script.text !== undefined && script.text !== '') queue.say(script.text);
      queue.mark(() => {
        const flushed = answer?.resampler.flush() ?? new Int16Array(0);
        if (flushed.length > 0) sendContent(speech(flushed));
        send({ usageMetadata: { promptTokenCount: 100, responseTokenCount: 50 } });
        if (script.calls !== undefined) {
          openCalls = script.calls.map(({ name, argumentsJson = '{}' }) => ({ id: `call-${(calls += 1)}`, name, args: JSON.parse(argumentsJson) as Record<string, unknown> }));
          return send({ toolCall: { functionCalls: [...openCalls] } });
        }
        sendContent({ generationComplete: true });
        sendContent({ turnComplete: true });
        answer = null;
        if (script.goesAway === true) send({ goAway: { timeLeft: '10s' } });
      });
    }
    function interrupt(): void {
      if (answer === null) return;
      queue.clear();
      if (openCalls.length > 0) send({ toolCallCancellation: { ids: openCalls.map(({ id = '' }) => id) } });
      openCalls = [];
      answer = null;
      sendContent({ interrupted: true });
      sendContent({ turnComplete: true });
    }
    const nextScript = (): LiveScript => {
      answers += 1;
      return options.respond?.(answers - 1) ?? { text: 'I see.' };
    };
    function onAudio(data: string): void {
      if (activity === null) return void connection.problems.push('audio outside of an activity');
      const audio = mulawOf(data);
      const beforeMs = audioMs;
      audioMs += audio.length / 8;
      connection.audio.push(audio);
      activity.push(audio);
      // A few times a second, as the vendor writes.
      if (Math.floor(beforeMs / 160) !== Math.floor(audioMs / 160)) transcribe(activity);
      if (fault !== undefined && 'socket' in fault && beforeMs < fault.afterAudioMs && audioMs >= fault.afterAudioMs) breakSocket(socket, request, fault.socket);
    }
    function transcribe(heard: readonly Buffer[]): void {
      const words = (options.transcribe ?? decodeCodedWords)(Buffer.concat(heard));
      if (words.length > transcribed.length && words.startsWith(transcribed)) {
        sendContent({ inputTranscription: { text: words.slice(transcribed.length) } });
        transcribed = words;
      }
    }
    function onRealtimeInput(input: NonNullable<LiveClientMessage['realtimeInput']>): void {
      if (input.audio?.data !== undefined) {
        if (input.audio.mimeType !== 'audio/pcm;rate=8000') connection.problems.push(`audio of ${input.audio.mimeType}`);
        onAudio(input.audio.data);
      } else if (input.activityStart !== undefined) {
        if (activity !== null) connection.problems.push('an activity within an activity');
        activity = [];
        transcribed = '';
      } else if (input.activityEnd !== undefined) {
        if (activity === null) return void connection.problems.push('no activity to end');
        remember('caller-audio', transcribed);
        activity = null;
        begin(nextScript());
      }
    }
    function onClientContent({ turns = [], turnComplete }: NonNullable<LiveClientMessage['clientContent']>): void {
      interrupt();
      const words = fixedWords(textOf(turns.at(-1)));
      if (words === undefined) for (const turn of turns) remember(turn.role === 'model' ? 'model' : 'user', textOf(turn));
      if (turnComplete === true) begin(words === undefined ? nextScript() : { text: words });
    }
    function onToolResponse({ functionResponses = [] }: NonNullable<LiveClientMessage['toolResponse']>): void {
      const known = functionResponses.every(({ id, name }) => openCalls.some((call) => call.id === id && call.name === name));
      if (!known || openCalls.length === 0) return void connection.problems.push('results of functions that were not called');
      for (const { response } of functionResponses) {
        remember('result', String(response?.['result']));
        for (const note of (response?.['notes'] ?? []) as readonly string[]) remember('user', note);
      }
      openCalls = [];
      answer = null;
      begin(nextScript());
    }
    function onSetup(setup: NonNullable<LiveClientMessage['setup']>): void {
      if (fault !== undefined && 'session' in fault) return;
      const isSound = setup.model?.startsWith('models/') === true && setup.generationConfig?.responseModalities?.[0] === Modality.AUDIO && setup.inputAudioTranscription !== undefined;
      if (!isSound) return socket.close(1007, 'Request contains an invalid argument.');
      send({ setupComplete: {} });
    }

    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as LiveClientMessage;
      connection.messages.push(message);
      if (message.setup !== undefined) onSetup(message.setup);
      else if (message.realtimeInput !== undefined) onRealtimeInput(message.realtimeInput);
      else if (message.clientContent !== undefined) onClientContent(message.clientContent);
      else if (message.toolResponse !== undefined) onToolResponse(message.toolResponse);
      else if (message.contextUpdate !== undefined) {
        const tools = (message.contextUpdate.tools?.tools ?? []) as readonly { functionDeclarations?: readonly { name?: string }[] }[];
        context = { instructions: textOf(message.contextUpdate.systemInstruction), tools: tools.flatMap(({ functionDeclarations = [] }) => functionDeclarations.map(({ name = '' }) => name)) };
      } else socket.close(1007, 'Request contains an invalid argument.');
    });
    socket.on('close', () => {
      queue.clear();
      answer = null;
    });
  }

  const server = await startVendorServer({
    port: options.port,
    onUpgrade(request) {
      const dealt = faults.deal(request);
      if (dealt !== null) return dealt;
      // The SDK writes two slashes after the host.
      const { pathname, searchParams } = new URL((request.url ?? '/').replace(/^\/+/, '/'), 'http://fake');
      if (pathname !== PATH) return { kind: 'http', status: 404 };
      return options.apiKey === undefined || searchParams.get('key') === options.apiKey ? null : { kind: 'http', status: 401 };
    },
    onSocket: serve,
  });
  return { ...server, connections };
}
