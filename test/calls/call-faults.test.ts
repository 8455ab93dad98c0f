import { describe, expect, it } from 'vitest';
import type { CallOptions } from '../../src/call/call-options.js';
import type { MediaStreamSink } from '../../src/telephony/media-stream.js';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, goodbyePasses } from '../support/virtual/scenes.js';
import { answerVirtualCall, type VirtualCall } from '../support/virtual/virtual-call.js';

/** An error of this program, which nobody expects. */
const fault = (): never => {
  throw new TypeError('injected');
};

/** Replaces one method of a part of the call, from the `count`th call on. */
function breaking<Part extends keyof CallOptions>(part: Part, method: string, count = 1): (options: CallOptions) => CallOptions {
  return (options) => {
    let calls = 0;
    const whole = options[part] as object;
    const broken = new Proxy(whole, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (name !== method || typeof value !== 'function') return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
        return (...args: unknown[]): unknown => {
          calls += 1;
          return calls >= count ? fault() : (Reflect.apply(value, target, args) as unknown);
        };
      },
    });
    return { ...options, [part]: broken };
  };
}

/** Replaces one method of one vendor connection of the call. */
function breakingLeg(leg: 'voice' | 'recogniser', method: string): (options: CallOptions) => CallOptions {
  return (options) => ({ ...options, legs: { ...options.legs, close: () => options.legs.close(), [leg]: { ...options.legs[leg], [method]: fault } } });
}

/** Everything that happens in a call, so that every callback is reached. */
async function playEverything(adjust: (options: CallOptions) => CallOptions): Promise<VirtualCall> {
  const call = await answerVirtualCall({
    passes: [{ text: ANSWER }, { text: ANSWER }, ...goodbyePasses],
    marks: 'played',
    settings: { max_duration_warning_seconds: 20, max_call_duration: 60 },
    adjust,
  });
  const steps: readonly (() => unknown)[] = [
    () => call.carrier.says('How much is a ticket?'),
    () => call.carrier.presses('5'),
    () => call.carrier.says('No wait, for Sunday.'),
    () => call.carrier.coughs(300),
    () => call.carrier.says('Goodbye.'),
  ];
  for (const step of steps) {
    await call.advance(4000);
    if (call.outcome === null) step();
  }
  return call;
}

describe('a fault', () => {
  it.each<readonly [string, (options: CallOptions) => CallOptions]>([
    ['of the stream when media is sent', breaking('stream', 'sendMedia', 3)],
    ['of the stream when a mark is sent', breaking('stream', 'sendMark')],
    ['of the stream when it is cleared', breaking('stream', 'sendClear')],
    ['of the recorder at the caller’s audio', breaking('recorder', 'caller', 20)],
    ['of the recorder at the agent’s audio', breaking('recorder', 'agent', 20)],
    ['of the recorder when audio is taken back', breaking('recorder', 'agentCleared')],
    ['of the recorder when it is flushed', breaking('recorder', 'flush', 3)],
    ['of the event log', breaking('events', 'append', 4)],
    ['of the event log from the beginning', breaking('events', 'append')],
    ['of the phrase cache when it is asked', breaking('phrases', 'get')],
    ['of the phrase cache when it is filled', breaking('phrases', 'set')],
    ['of the metronome', breaking('metronome', 'add')],
    ['of the recogniser at audio', breakingLeg('recogniser', 'push')],
    ['of the recogniser when it is to finalize', breakingLeg('recogniser', 'finalize')],
    ['of the voice when it is to speak', breakingLeg('voice', 'speak')],
    ['of the stream when it is started', breaking('stream', 'start')],
    [
      'in the workflow’s own data',
      (options) => ({ ...options, graph: { ...options.graph, get texts(): never { return fault(); }, get idle(): never { return fault(); } } }),
    ],
  ])('%s ends this call, and the process lives', async (_name, adjust) => {
    const call = await playEverything(adjust);
    await call.until(() => call.outcome !== null, 120_000);
    expect(call.outcome?.ending).toEqual({ endReason: 'internal_error', close: { code: 1011, reason: 'Internal server error' } });
    expect(call.control.requests.map(({ type }) => type)).toEqual(['hang-up']);
    await call.advance(60_000);
    expect(call.stt.isOpen).toBe(false);
    expect(call.tts.isOpen).toBe(false);
    expect(call.tts.openUtterances).toBe(0);
    expect(call.llm.openPasses).toBe(0);
    expect(call.carrier.socket.isOver).toBe(true);
    expect(call.clock.pendingTimers()).toBe(0);
    expect(call.metronome.size()).toBe(0);
  });

  it.each<readonly [string, (options: CallOptions) => CallOptions]>([
    ['of the recogniser', (options) => ({ ...options, legs: { ...options.legs, close: fault } })],
    ['of the stream', breaking('stream', 'close')],
    ['of the recorder', breaking('recorder', 'close')],
  ])('%s when it is closed does not keep the call from ending', async (_name, adjust) => {
    const call = await playEverything(adjust);
    await call.until(() => call.outcome !== null, 120_000);
    expect(call.outcome?.ending.endReason).toBe('agent_hangup');
    expect(call.outcome?.isRecorded).toBe(false);
  });

  it('of an utterance that is cancelled ends this call', async () => {
    const call = await afterGreeting({
      passes: [{ text: ANSWER }, { text: ANSWER }],
      tts: (index) => ({ firstByteMs: index === 1 ? 3000 : 80 }),
      adjust: (options) => ({
        ...options,
        legs: { ...options.legs, voice: { ...options.legs.voice, speak: (onEvent) => ({ ...options.legs.voice.speak(onEvent), cancel: fault }) } },
      }),
    });
    call.carrier.says('How much is a ticket?');
    await call.until(() => call.tts.openUtterances === 1);
    call.carrier.says('Wait, one more thing.');
    await call.until(() => call.outcome !== null);
    expect(call.outcome?.ending.endReason).toBe('internal_error');
  });

  it('of the provider’s control is a failed hang-up', async () => {
    const call = await playEverything(breaking('control', 'hangUp'));
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.eventsOf('hangup-failed')).toMatchObject([{ data: { code: 'internal-error' } }]);
  });

  it('of the provider’s control at a transfer leaves the caller with the agent', async () => {
    const call = await afterGreeting({ passes: goodbyePasses, adjust: breaking('control', 'transferCold') });
    await expect(call.session.command({ type: 'transfer', destination: '+12125550123' })).rejects.toThrow();
    expect(call.eventsOf('transfer-failed')).toMatchObject([{ data: { code: 'internal-error' } }]);
    expect(call.outcome).toBeNull();
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('of what a stream is told stays within its call, whichever callback it is', async () => {
    const call = await afterGreeting({ passes: goodbyePasses });
    let sink: MediaStreamSink | undefined;
    const other = await answerVirtualCall({
      passes: goodbyePasses,
      adjust: (options) => ({
        ...options,
        stream: Object.assign(Object.create(options.stream) as CallOptions['stream'], {
          start(given: MediaStreamSink) {
            sink = given;
            options.stream.start(given);
          },
        }),
        recorder: { ...options.recorder, caller: fault },
      }),
    });
    expect(() => sink?.onAudio(new Uint8Array(160), 0)).not.toThrow();
    await expectCleanEnd(other, 'internal_error');
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });
});
