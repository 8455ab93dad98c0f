import { expect } from 'vitest';
import type { CallOutcome } from '../../../src/call/call-options.js';
import type { VirtualCall } from './virtual-call.js';

/** The words of the agent that reached the caller's ear, character by character as its frames were played. */
export function heardCharacters(call: VirtualCall): string {
  let text = '';
  let last: { utterance: number; char: number } | null = null;
  for (const { frame } of call.carrier.heardByNow()) {
    const place = call.tts.locate(frame);
    if (place === null || (place.utterance === last?.utterance && place.char === last.char)) continue;
    // Where the voice goes back it repeats itself, and another utterance begins another word.
    const isContinued = last !== null && place.utterance === last.utterance && place.char > last.char;
    text += `${isContinued ? '' : ' '}${place.text[place.char] ?? ''}`;
    last = place;
  }
  return text;
}

/** How an utterance was heard: frames that are missing between the first and the last one heard, and frames heard twice. */
export function heardFaults(call: VirtualCall, utterance: number): { frames: number; missing: number; repeated: number } {
  const tags = call.carrier.heardByNow().flatMap(({ frame, tag }) => (tag !== null && call.tts.locate(frame)?.utterance === utterance ? [tag] : []));
  const distinct = new Set(tags);
  const span = tags.length === 0 ? 0 : Math.max(...tags) - Math.min(...tags) + 1;
  return { frames: tags.length, missing: span - distinct.size, repeated: tags.length - distinct.size };
}

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/**
 * The transcript's agent lines are what the caller heard: the same words, but that the last word of an interrupted line may be cut off or
 * heard in part.
 */
function expectTranscriptHeard(call: VirtualCall): void {
  const said = call.eventsOf('agent-said').flatMap(({ data }) => wordsOf(String(data['text'])));
  const heard = wordsOf(heardCharacters(call));
  let next = 0;
  for (const word of said) {
    const found = heard.indexOf(word, next);
    if (found === -1) throw new Error(`The transcript has "${word}", which the caller did not hear after "${heard.slice(0, next).join(' ')}"; heard: ${heard.join(' ')}`);
    next = found + 1;
  }
  const interruptions = call.eventsOf('agent-said').filter(({ data }) => data['interrupted'] === true).length;
  const resumptions = call.eventsOf('interruption-false').length + call.eventsOf('acknowledgement-heard').length;
  // How much text the audio of a voice that broke off, or was called off, holds is estimated, on the safe side.
  const estimates = 3 * call.eventsOf('vendor-failed').filter(({ data }) => data['leg'] === 'tts').length + call.tts.cutUtterances;
  const unheardReplies = call.eventsOf('reply-started').length - call.eventsOf('agent-said').length;
  // Where one voice goes on for another, the word that broke off is said again.
  const tornWords = call.eventsOf('vendor-fallback').filter(({ data }) => data['leg'] === 'tts' || data['leg'] === 'realtime').length;
  // At a cut one word is heard in part, at a resumption one may be heard twice.
  expect(heard.length - said.length).toBeLessThanOrEqual(interruptions + resumptions + unheardReplies + estimates + tornWords);
  expect(heard.length).toBeGreaterThanOrEqual(said.length);
}

/** Longest a caller may wait for a sign of life after their words, whatever trouble the agent is in. */
const DEAD_AIR_LIMIT_MS = 10_000;

/** After each turn the caller soon hears something, goes on, or the call is taken away. */
function expectNoDeadAir(call: VirtualCall): void {
  const endsMs = call.eventsOf('caller-said').map(({ data }) => Number(data['end_ms']));
  const signsMs = [
    ...call.carrier.heard.map(({ playAtMs }) => playAtMs),
    ...call.control.requests.map(({ atMs }) => atMs),
    ...call.carrier.controls.filter(({ type }) => type === 'close' || type === 'terminate').map(({ atMs }) => atMs),
    ...endsMs,
    call.outcome?.durationMs ?? 0,
  ].sort((a, b) => a - b);
  for (const endMs of endsMs) {
    const nextMs = signsMs.find((atMs) => atMs > endMs) ?? endMs;
    expect(nextMs - endMs).toBeLessThanOrEqual(DEAD_AIR_LIMIT_MS);
  }
}

/** Waits for the call's end and checks what must hold after every call, however it ended. */
export async function expectCleanEnd(call: VirtualCall, endReason: string, limitMs = 60_000): Promise<CallOutcome> {
  await call.until(() => call.outcome !== null, limitMs);
  // Whatever is late must come to nothing, and leave nothing behind.
  await call.advance(60_000);
  const { outcome } = call;
  if (outcome === null) throw new Error('the call has not ended');
  expect(outcome.ending.endReason).toBe(endReason);
  expect(call.events.slice(call.eventsAtEnd).map(({ type }) => type)).toEqual([]);
  expect(call.clock.pendingTimers()).toBe(0);
  expect(call.metronome.size()).toBe(0);
  expect(call.stt.isOpen).toBe(false);
  expect(call.tts.isOpen).toBe(false);
  expect(call.tts.openUtterances).toBe(0);
  expect(call.llm.openPasses).toBe(0);
  expect(call.control.openRequests).toBe(0);
  expect(call.carrier.socket.isOver).toBe(true);
  expect(call.carrier.controls.filter(({ type }) => type === 'close').length).toBeLessThanOrEqual(1);
  expect(call.carrier.violations).toEqual([]);
  expect(call.events.filter(({ type }) => type === 'call-answered')).toHaveLength(1);
  const times = call.events.map(({ atMs }) => atMs);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expectTranscriptHeard(call);
  expectNoDeadAir(call);
  return outcome;
}
