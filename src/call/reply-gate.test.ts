import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../base/errors.js';
import { createReplyGate } from './reply-gate.js';
import type { ModelPass, ReplyListener, SpeechAction } from './reply.js';

const pass: ModelPass = { text: 'Hello.', toolCalls: [], usage: undefined, failure: null };
const following: SpeechAction = { type: 'say', text: 'And more.', allowInterrupt: true };

/** A listener that writes down what it is told. */
function notingListener(noted: string[]): ReplyListener {
  return {
    onAudio: (audio) => void noted.push(`audio ${audio.join(',')}`),
    onPassEnded(ended) {
      noted.push(`pass ${ended.text}`);
      return [following];
    },
    onHedged: () => undefined,
    onFillerSaid: () => undefined,
    onToolsAwaited: () => Promise.resolve([]),
    onComplete: (hasAudio) => void noted.push(`complete ${String(hasAudio)}`),
    onVoiceFailed: (error) => void noted.push(`failed ${error.code}`),
    onFault: (error) => void noted.push(`fault ${String(error)}`),
  };
}

function closedGate() {
  const noted: string[] = [];
  let overflows = 0;
  const gate = createReplyGate(notingListener(noted), () => (overflows += 1));
  return { gate, noted, overflows: () => overflows };
}

describe('a reply gate', () => {
  it('holds everything back until it is opened, then reports it in order', async () => {
    const { gate, noted } = closedGate();
    const audio = new Uint8Array([1, 2]);
    gate.listener.onAudio(audio);
    audio.fill(9);
    const next = Promise.resolve(gate.listener.onPassEnded(pass));
    gate.listener.onAudio(new Uint8Array([3]));
    gate.listener.onComplete(true);
    await Promise.resolve();
    expect(noted).toEqual([]);
    gate.open();
    expect(noted).toEqual(['audio 1,2', 'pass Hello.', 'audio 3', 'complete true']);
    expect(await next).toEqual([following]);
  });

  it('is out of the way once it is open', () => {
    const { gate, noted } = closedGate();
    gate.open();
    gate.listener.onAudio(new Uint8Array([1]));
    expect(gate.listener.onPassEnded(pass)).toEqual([following]);
    gate.listener.onVoiceFailed(new AgentStreamError('vendor-failed'));
    expect(noted).toEqual(['audio 1', 'pass Hello.', 'failed vendor-failed']);
  });

  it('forgets everything when it is closed, and nothing waits for it any more', async () => {
    const { gate, noted } = closedGate();
    const before = Promise.resolve(gate.listener.onPassEnded(pass));
    gate.listener.onComplete(true);
    gate.close();
    expect(await before).toEqual([]);
    expect(await gate.listener.onPassEnded(pass)).toEqual([]);
    gate.listener.onAudio(new Uint8Array([1]));
    gate.open();
    expect(noted).toEqual([]);
  });

  it('lets a fault in what follows a pass reach the reply, and no other report', async () => {
    const noted: string[] = [];
    const gate = createReplyGate(
      {
        ...notingListener(noted),
        onPassEnded() {
          throw new Error('broken');
        },
      },
      () => undefined,
    );
    const next = Promise.resolve(gate.listener.onPassEnded(pass));
    gate.listener.onComplete(false);
    gate.open();
    await expect(next).rejects.toThrow('broken');
    expect(noted).toEqual(['complete false']);
  });

  it('takes no more audio once it is closed, however much comes', () => {
    const { gate, noted, overflows } = closedGate();
    gate.close();
    for (let second = 0; second < 40; second += 1) gate.listener.onAudio(new Uint8Array(8000));
    expect([noted, overflows()]).toEqual([[], 0]);
  });

  it('reports a fault at once', () => {
    const { gate, noted } = closedGate();
    gate.listener.onFault('broken');
    expect(noted).toEqual(['fault broken']);
  });

  it('gives up where more than half a minute would have to be kept', () => {
    const { gate, overflows } = closedGate();
    for (let second = 0; second < 30; second += 1) gate.listener.onAudio(new Uint8Array(8000));
    expect(overflows()).toBe(0);
    gate.listener.onAudio(new Uint8Array(160));
    expect(overflows()).toBe(1);
  });
});
