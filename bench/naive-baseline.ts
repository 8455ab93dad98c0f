// What a first attempt at a voice agent looks like: ws, JSON.parse of every message, setInterval per call, Buffer.concat, energy VAD.
// It speaks to the same fake vendors as the server and answers the same load, so that ratios can be stated.
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { mulawToLinear } from '../src/audio/g711.js';

const [deepgramUrl = '', openaiUrl = '', cartesiaUrl = ''] = process.argv.slice(2);
const FRAME_BYTES = 160;
const CONFIRM_FRAMES = 8;
const PAUSE_FRAMES = 10;
const SPEECH_LEVEL = 500;

const levelOf = (audio: Buffer) => {
  let sum = 0;
  for (const code of audio) sum += Math.abs(mulawToLinear[code] ?? 0);
  return sum / audio.length;
};

function answer(socket: WebSocket): void {
  let streamSid = '';
  let queue = Buffer.alloc(0);
  let loud = 0;
  let quiet = 0;
  let isSpeaking = false;
  let transcript = '';
  let context = 0;
  let request: AbortController | null = null;
  const stt = new WebSocket(`${deepgramUrl}/v1/listen?model=nova-3&encoding=mulaw&sample_rate=8000&endpointing=200&interim_results=true`, {
    headers: { authorization: 'Token bench' },
  });
  const tts = new WebSocket(`${cartesiaUrl}/tts/websocket`, { headers: { authorization: 'Bearer bench', 'cartesia-version': '2025-04-16' } });
  const send = (message: unknown) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));
  const speak = (text: string) => {
    if (tts.readyState !== WebSocket.OPEN) return;
    tts.send(
      JSON.stringify({
        context_id: `c${context}`,
        transcript: text,
        model_id: 'sonic-3',
        voice: { mode: 'id', id: 'bench' },
        output_format: { container: 'raw', encoding: 'pcm_mulaw', sample_rate: 8000 },
        continue: true,
      }),
    );
  };

  const reply = async (text: string) => {
    context += 1;
    request = new AbortController();
    const response = await fetch(`${openaiUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: 'Bearer bench', 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'bench', stream: true, messages: [{ role: 'user', content: text }] }),
      signal: request.signal,
    });
    let pending = '';
    let sentence = '';
    for await (const chunk of response.body!) {
      pending += Buffer.from(chunk as Uint8Array).toString('utf8');
      const lines = pending.split('\n\n');
      pending = lines.pop() ?? '';
      for (const line of lines.filter((one) => one.startsWith('data: {'))) {
        const data = JSON.parse(line.slice(6)) as { choices: { delta: { content?: string } }[] };
        sentence += data.choices[0]?.delta.content ?? '';
        const end = /[.?!](\s|$)/.exec(sentence);
        if (end === null) continue;
        speak(sentence.slice(0, end.index + 1));
        sentence = sentence.slice(end.index + 1);
      }
    }
  };

  const onFrame = (audio: Buffer) => {
    if (stt.readyState === WebSocket.OPEN) stt.send(audio);
    const isLoud = levelOf(audio) > SPEECH_LEVEL;
    loud = isLoud ? loud + 1 : 0;
    quiet = isLoud ? 0 : quiet + 1;
    if (loud === CONFIRM_FRAMES) {
      isSpeaking = true;
      if (queue.length > 0) {
        request?.abort();
        tts.send(JSON.stringify({ context_id: `c${context}`, cancel: true }));
        context += 1;
        queue = Buffer.alloc(0);
        send({ event: 'clear', streamSid });
      }
    }
    if (isSpeaking && quiet === PAUSE_FRAMES) {
      isSpeaking = false;
      if (stt.readyState === WebSocket.OPEN) stt.send(JSON.stringify({ type: 'Finalize' }));
    }
  };

  stt.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString('utf8')) as { type: string; is_final?: boolean; channel?: { alternatives: { transcript: string }[] } };
    if (message.type !== 'Results' || message.is_final !== true) return;
    transcript = message.channel?.alternatives[0]?.transcript ?? '';
    if (transcript === '') return;
    reply(transcript).catch((error: unknown) => {
      if (!(error instanceof Error && error.name === 'AbortError')) throw error;
    });
  });
  tts.on('open', () => speak('Hello, this is the benchmark. How can I help you?'));
  tts.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString('utf8')) as { type: string; context_id: string; data?: string };
    if (message.type === 'chunk' && message.context_id === `c${context}`) queue = Buffer.concat([queue, Buffer.from(message.data ?? '', 'base64')]);
  });
  const timer = setInterval(() => {
    if (queue.length < FRAME_BYTES || streamSid === '') return;
    const frame = queue.subarray(0, FRAME_BYTES);
    queue = queue.subarray(FRAME_BYTES);
    send({ event: 'media', streamSid, media: { payload: frame.toString('base64') } });
  }, 20);
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString('utf8')) as { event: string; streamSid: string; media?: { payload: string } };
    if (message.event === 'start') streamSid = message.streamSid;
    if (message.event === 'media') onFrame(Buffer.from(message.media?.payload ?? '', 'base64'));
  });
  for (const vendor of [stt, tts]) vendor.on('error', () => socket.close(1011));
  socket.on('close', () => {
    clearInterval(timer);
    request?.abort();
    stt.terminate();
    tts.terminate();
  });
}

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
server.on('connection', answer);
