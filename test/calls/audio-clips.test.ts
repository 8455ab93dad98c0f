import { describe, expect, it } from 'vitest';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { goodbyePasses, messagesOf } from '../support/virtual/scenes.js';
import { taggedClip, type TaggedClip } from '../support/virtual/tagged-clip.js';
import { answerVirtualCall, type VirtualCall, type VirtualCallOptions } from '../support/virtual/virtual-call.js';
import { edge, node } from '../support/workflow-call.js';

const WORDS = 'Welcome to the Acme service line, please have your number ready.';
const welcome = taggedClip(0, 200, { uuid: 'welcome', name: 'Welcome', transcript: WORDS });
const jingle = taggedClip(1, 50, { uuid: 'jingle', name: 'Jingle', transcript: '', words: '[Recording: Jingle]' });

const document = {
  nodes: [
    node('start', 'startCall', { greeting_type: 'audio', greeting_recording_id: 'welcome', greeting: 'Welcome.' }),
    node('hold', 'say', { recording_id: 'jingle' }),
    node('end', 'endCall'),
  ],
  edges: [
    edge('start', 'hold', { transition_speech_type: 'audio', transition_speech_recording_id: 'welcome', transition_speech: 'One moment.' }),
    edge('start', 'end'),
    edge('hold', 'end'),
  ],
};
const answered = (options: VirtualCallOptions = {}) => answerVirtualCall({ ...document, clips: [welcome, jingle], passes: goodbyePasses, ...options });

/** Frames of a clip that the caller heard, as places within it. */
const heardOf = (call: VirtualCall, clip: TaggedClip) => call.carrier.heardByNow().flatMap(({ frame }) => clip.placeOf(frame) ?? []);
const inOrder = (count: number) => Array.from({ length: count }, (_, at) => at);

describe('a recorded greeting', () => {
  it('is heard whole, at once and without the voice; the model knows what was said', async () => {
    const call = await answered();
    expect((await call.untilEvent('reply-started')).atMs).toBe(0);
    const said = await call.untilEvent('agent-said');
    expect(said.data).toMatchObject({ text: WORDS, interrupted: false });
    expect(Math.abs(Number(said.data['end_ms']) - Number(said.data['start_ms']) - 4000)).toBeLessThanOrEqual(40);
    expect(heardOf(call, welcome)).toEqual(inOrder(200));
    expect(call.tts.spoken).toEqual([]);
    await call.advance(500);
    call.carrier.says('Thank you, goodbye.');
    const outcome = await expectCleanEnd(call, 'agent_hangup');
    expect(messagesOf(call, 0)).toContain(`assistant: ${WORDS}`);
    // Nothing of it is the vendor's work.
    expect(outcome.usage.ttsChars).toBe(call.tts.spoken.join('').length);
  });

  it('gives way to a caller who interrupts: what was heard of it is what was said', async () => {
    const call = await answered({ passes: [{ text: 'Yes?' }, ...goodbyePasses] });
    await call.untilEvent('reply-started');
    await call.advance(2000);
    call.carrier.says('No wait, I have a question.');
    await call.untilEvent('interruption-confirmed');
    expect(call.carrier.controlsAt('clear')).toHaveLength(1);
    await call.untilEvent('agent-said', 2);
    const [cut] = call.eventsOf('agent-said');
    expect(cut?.data).toMatchObject({ interrupted: true });
    const text = String(cut?.data['text']);
    expect(WORDS.startsWith(text)).toBe(true);
    // Two seconds and the time to confirm, of four.
    expect(text.length).toBeGreaterThan(WORDS.length * 0.35);
    expect(text.length).toBeLessThan(WORDS.length * 0.7);
    expect(messagesOf(call, 0)).toContain(`assistant: ${text} —`);
  });

  it('goes on where the caller stopped hearing, after what was only a sound', async () => {
    const call = await answered();
    await call.untilEvent('reply-started');
    await call.advance(1500);
    call.carrier.coughs(320);
    await call.untilEvent('interruption-false');
    await call.untilEvent('agent-said');
    const places = heardOf(call, welcome);
    expect([...new Set(places)]).toEqual(inOrder(200));
    expect(places.length).toBeLessThanOrEqual(201);
  });

  it('that is missing is spoken by the voice', async () => {
    const call = await answered({ clips: [jingle] });
    expect((await call.untilEvent('agent-said')).data['text']).toBe('Welcome.');
    expect(call.tts.spoken).toEqual(['Welcome.']);
  });
});

describe('recordings on the way', () => {
  it('are heard one after the other, then the next node speaks', async () => {
    const call = await answered({ passes: [{ tools: ['go_to_hold'] }, { text: 'Goodbye then.' }] });
    await call.untilEvent('agent-said');
    await call.advance(500);
    call.carrier.says('Please hold for me.');
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.transcript().at(-1)).toBe(`agent: ${WORDS} [Recording: Jingle] Goodbye then.`);
    expect(heardOf(call, jingle)).toEqual(inOrder(50));
    expect(heardOf(call, welcome)).toEqual([...inOrder(200), ...inOrder(200)]);
    expect(messagesOf(call, 1).join('\n')).toContain(`assistant: ${WORDS} [Recording: Jingle]`);
    expect(call.tts.spoken.map((text) => text.trim())).toEqual(['Goodbye then.']);
  });

  it('that are missing are said where there is a text, else the call goes on', async () => {
    const call = await answered({ clips: [], passes: [{ tools: ['go_to_hold'] }, { text: 'Goodbye then.' }] });
    await call.untilEvent('agent-said');
    await call.advance(500);
    call.carrier.says('Please hold for me.');
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.transcript().at(-1)).toBe('agent: One moment. Goodbye then.');
  });
});
