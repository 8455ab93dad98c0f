import { describe, expect, it } from 'vitest';
import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from '../audio/frame.js';
import { linearToMulaw } from '../audio/g711.js';
import { createConversation } from './conversation.js';
import type { ConversationTurn } from './turn-log.js';

/** A track of 300 Hz tone at a speech-like level in the given spans, line noise below the speech level elsewhere. */
function track(durationMs: number, spans: readonly (readonly [startMs: number, endMs: number])[]): Uint8Array {
  return Uint8Array.from({ length: durationMs * 8 }, (_, i) => {
    const isTone = spans.some(([startMs, endMs]) => i >= startMs * 8 && i < endMs * 8);
    const sample = Math.round((isTone ? 8000 : 200) * Math.cos((2 * Math.PI * 300 * i) / 8000));
    return linearToMulaw[sample & 0xffff] ?? MULAW_SILENCE;
  });
}

interface Happening {
  readonly atMs: number;
  readonly run: (conversation: ReturnType<typeof createConversation>) => void;
}

function play(caller: Uint8Array, agent: Uint8Array, happenings: readonly Happening[] = []): { turns: readonly ConversationTurn[]; asked: number[] } {
  const turns: ConversationTurn[] = [];
  const asked: number[] = [];
  let nowMs = 0;
  const conversation = createConversation({
    onTurn: (turn) => turns.push({ ...turn }),
    onAgentTurnEnded: () => asked.push(nowMs),
  });
  for (let index = 0; (index + 1) * FRAME_BYTES <= caller.length; index += 1) {
    for (const happening of happenings) {
      if (happening.atMs >= index * FRAME_MS && happening.atMs < (index + 1) * FRAME_MS) happening.run(conversation);
    }
    nowMs = (index + 1) * FRAME_MS;
    const cut = (samples: Uint8Array) => samples.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES);
    conversation.frame(index, cut(caller), cut(agent));
  }
  conversation.finish();
  return { turns, asked };
}

describe('createConversation', () => {
  it('measures the gap from the last sample of the caller to the first of the agent', () => {
    const caller = track(6000, [[1500, 2503]]);
    const agent = track(6000, [[207, 800], [3111, 4000]]);
    const { turns } = play(caller, agent, [
      { atMs: 1490, run: (conversation) => conversation.announce('When do you open?') },
      { atMs: 4900, run: (conversation) => conversation.agentWords('At nine.', { startMs: 3100, endMs: 3990 }) },
    ]);
    expect(turns.map((turn) => turn.who)).toEqual(['agent', 'caller', 'agent']);
    const [greeting, question, answer] = turns as [ConversationTurn & { who: 'agent' }, ConversationTurn & { who: 'caller' }, ConversationTurn & { who: 'agent' }];
    expect(greeting.gapFrom).toBe('call-start');
    expect(greeting.gapMs).toBeCloseTo(207, 0);
    expect(question.text).toBe('When do you open?');
    expect(question.bargeIn).toBeNull();
    expect(answer.gapFrom).toBe('caller');
    expect(Math.abs((answer.gapMs ?? 0) - 608)).toBeLessThanOrEqual(2);
    expect(answer.text).toBe('At nine.');
  });

  it('times a barge-in from the first frame with speech on the wire, and cuts the agent’s turn', () => {
    const caller = track(6000, [[3010, 4000]]);
    const agent = track(6000, [[1000, 3240], [4700, 5000]]);
    const { turns, asked } = play(caller, agent, [{ atMs: 3230, run: (conversation) => conversation.cleared(3230) }]);
    expect(turns.map((turn) => turn.who)).toEqual(['agent', 'caller', 'agent']);
    expect(turns[0]).toMatchObject({ isCut: true });
    // Speech begins within the frame that ends at 3020.
    expect(turns[1]).toMatchObject({ bargeIn: { clearAfterMs: 3230 - 3020 } });
    expect(asked[0]).toBeLessThanOrEqual(3240);
    expect(turns[2]).toMatchObject({ gapFrom: 'caller', isCut: false });
    expect(Math.abs(((turns[2] as { gapMs: number }).gapMs ?? 0) - 700)).toBeLessThanOrEqual(2);
  });

  it('keeps a pause for breath within one turn, and leaves a barge-in that stopped nothing unmeasured', () => {
    const { turns } = play(track(5000, [[1500, 1700]]), track(5000, [[500, 1900], [2300, 3000]]));
    expect(turns.map((turn) => turn.who)).toEqual(['agent', 'caller']);
    expect(turns[1]).toMatchObject({ bargeIn: { clearAfterMs: null, agentHeardForMs: null } });
    expect(Math.abs((turns[0]?.endMs ?? 0) - 3000)).toBeLessThanOrEqual(2);
  });

  it('counts a key press as the caller’s turn', () => {
    const { turns } = play(track(4000, []), track(4000, [[100, 500], [2000, 2500]]), [
      { atMs: 1700, run: (conversation) => conversation.keyPressed('5', 1700) },
    ]);
    expect(turns[1]).toMatchObject({ who: 'caller-key', digit: '5' });
    expect(Math.abs((turns[2] as { gapMs: number }).gapMs - 300)).toBeLessThanOrEqual(2);
  });

  it('hands turns on in order of their starts, an agent turn only once its words have settled', () => {
    const seen: string[] = [];
    const conversation = createConversation({ onTurn: (turn) => seen.push(turn.who), onAgentTurnEnded: () => undefined });
    const agent = track(4000, [[0, 500]]);
    const caller = track(4000, [[600, 900]]);
    for (let index = 0; index < 90; index += 1) {
      conversation.frame(index, caller.subarray(index * 160, index * 160 + 160), agent.subarray(index * 160, index * 160 + 160));
    }
    expect(seen).toEqual([]);
    conversation.wordsSettled();
    conversation.frame(90, caller.subarray(90 * 160, 91 * 160), agent.subarray(90 * 160, 91 * 160));
    expect(seen).toEqual(['agent', 'caller']);
  });

  it('does not wait for ever for words', () => {
    const { turns } = play(track(4000, []), track(4000, [[0, 500]]));
    expect(turns).toHaveLength(1);
  });
});
