import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { afterEach, describe, expect, it } from 'vitest';
import { FRAME_BYTES } from '../audio/frame.js';
import { systemClock } from '../base/clock.js';
import { runScriptedCall, type CallResult } from './caller.js';
import { parseCallerScript, type CallerStep } from './caller-script.js';
import { createSimulatedSpeech } from './simulated-speech.js';
import { renderSpeech } from './speech-clip.js';
import { findSpeech } from './speech-tracker.js';
import type { ConversationTurn } from './turn-log.js';

const speech = createSimulatedSpeech(systemClock);
const render = (text: string) => renderSpeech(speech.voice, text, systemClock);
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** An agent of few words: greets, answers each pause of the caller, falls silent when spoken over, and hangs up after its last line. */
function converse(socket: WebSocket, lines: readonly Uint8Array[]): void {
  let line = 0;
  let streamSid = '';
  let playingUntilMs = 0;
  let loudFrames = 0;
  let quietFrames = -1;
  const say = () => {
    const audio = lines[line];
    line += 1;
    if (audio === undefined) return socket.close(1000, 'done');
    const whole = audio.subarray(0, audio.length - (audio.length % FRAME_BYTES));
    playingUntilMs = systemClock.nowMs() + whole.length / 8;
    for (let at = 0; at < whole.length; at += 8000) {
      const payload = Buffer.from(whole.subarray(at, at + 8000)).toString('base64');
      socket.send(JSON.stringify({ event: 'media', streamSid, media: { payload } }));
    }
  };
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString('utf8')) as { event: string; streamSid: string; media?: { payload: string } };
    if (message.event === 'start') {
      streamSid = message.streamSid;
      say();
    }
    if (message.media === undefined) return;
    const isLoud = findSpeech(Buffer.from(message.media.payload, 'base64')) !== null;
    loudFrames = isLoud ? loudFrames + 1 : 0;
    if (isLoud) quietFrames = 0;
    else if (quietFrames >= 0) quietFrames += 1;
    if (loudFrames === 5 && playingUntilMs > systemClock.nowMs()) {
      playingUntilMs = 0;
      socket.send(JSON.stringify({ event: 'clear', streamSid }));
    }
    if (quietFrames === 25) {
      quietFrames = -1;
      say();
    }
  });
}

async function call(steps: readonly CallerStep[], agentLines: readonly string[], maxDurationMs = 20_000): Promise<CallResult & { live: ConversationTurn[] }> {
  const lines = await Promise.all(agentLines.map(render));
  const clips = new Map<number, Uint8Array>();
  for (const [index, step] of steps.entries()) if (step.type === 'say') clips.set(index, await render(step.text));
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  await once(server, 'listening');
  server.on('connection', (socket) => converse(socket, lines));
  const live: ConversationTurn[] = [];
  const result = await runScriptedCall({
    carrier: {
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      clock: systemClock,
      domain: 'acme.cloudonix.net',
      session: 'session-1',
      callSid: 'call-1',
      streamSid: 'ST-1',
      from: '+12125550100',
      to: '+12125550199',
      customParameters: {},
      mediaFormat: 'mulaw',
      echoMarks: 'yes',
    },
    part: { steps, clips, lingerMs: 2000 },
    recogniser: speech.recogniser,
    maxDurationMs,
    onTurn: (turn) => live.push(turn),
  });
  return { ...result, live };
}

describe('runScriptedCall', () => {
  it('holds a conversation through real audio, interrupts, and understands what it heard', async () => {
    const script = parseCallerScript('caller: How are you?\ninterrupt 1400: Stop it now.');
    const result = await call(script, ['Good day.', 'I am very well today and this is a long story with many words.', 'Goodbye.']);
    expect(result.problems).toEqual([]);
    expect(result.live).toEqual(result.turns);
    expect(result.turns.map((turn) => turn.who)).toEqual(['agent', 'caller', 'agent', 'caller', 'agent']);
    const [greeting, question, story, interruption, goodbye] = result.turns;
    expect(greeting).toMatchObject({ text: 'Good day.', gapFrom: 'call-start', isCut: false });
    expect(question).toMatchObject({ text: 'How are you?', bargeIn: null });
    expect(story).toMatchObject({ gapFrom: 'caller', isCut: true });
    expect((story as { gapMs: number }).gapMs).toBeGreaterThan(400);
    expect((story as { gapMs: number }).gapMs).toBeLessThan(1200);
    expect((story as { text: string }).text).toMatch(/^I am/);
    expect((story as { text: string }).text).not.toMatch(/words/);
    const { bargeIn } = interruption as ConversationTurn & { who: 'caller' };
    expect(bargeIn?.clearAfterMs).toBeGreaterThanOrEqual(60);
    expect(bargeIn?.clearAfterMs).toBeLessThan(600);
    expect(goodbye).toMatchObject({ text: 'Goodbye.', isCut: false });
  }, 40_000);

  it('hangs up when told, and after the longest time a call may take', async () => {
    const hangUp = await call(parseCallerScript('wait: 200\nhangup'), ['Good day.']);
    expect(hangUp.ending).toMatchObject({ code: 1000, by: 'carrier' });
    expect(hangUp.durationMs).toBeLessThan(1500);
    const capped = await call([], [], 300);
    expect(capped.ending.type).toBe('closed');
    expect(capped.durationMs).toBeLessThan(1500);
  }, 40_000);
});
