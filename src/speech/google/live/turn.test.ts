import { describe, expect, it } from 'vitest';
import type { RealtimePart } from '../../realtime-model.js';
import { createOpenResponse, type OpenResponse } from './response.js';
import { createModelTurn } from './turn.js';

async function read({ parts }: OpenResponse): Promise<readonly RealtimePart[]> {
  const read: RealtimePart[] = [];
  for await (const part of parts) read.push(part);
  return read;
}

describe('the model’s turn', () => {
  it('ends an answer with its last word, and takes the vendor’s later end of the turn for that answer’s', async () => {
    const turn = createModelTurn();
    const [first, second] = [createOpenResponse(), createOpenResponse()];
    turn.begin(first, true);
    turn.take({ type: 'text', text: 'One.' });
    turn.take({ type: 'generation-complete' });
    expect(turn.isBusy).toBe(false);
    turn.begin(second, true);
    turn.take({ type: 'turn-complete' });
    expect(turn.isBusy).toBe(true);
    turn.take({ type: 'text', text: 'Two.' });
    turn.take({ type: 'turn-complete' });
    expect(turn.isBusy).toBe(false);
    expect((await read(first)).map(({ type }) => type)).toEqual(['text-delta', 'finish']);
    expect((await read(second))[0]).toEqual({ type: 'text-delta', text: 'Two.' });
  });

  it('counts usage that comes after an answer with the next', async () => {
    const turn = createModelTurn();
    const [first, second] = [createOpenResponse(), createOpenResponse()];
    turn.begin(first, true);
    turn.take({ type: 'generation-complete' });
    turn.take({ type: 'usage', usage: { inputTokens: 10, outputTokens: 5 } });
    turn.take({ type: 'turn-complete' });
    turn.begin(second, true);
    turn.take({ type: 'usage', usage: { inputTokens: 1, outputTokens: 2 } });
    turn.take({ type: 'turn-complete' });
    expect(await read(first)).toEqual([{ type: 'finish', reason: 'stop', usage: undefined }]);
    expect(await read(second)).toEqual([{ type: 'finish', reason: 'stop', usage: { inputTokens: 11, outputTokens: 7 } }]);
  });

  it('leaves a connection that is to end once nothing is on its way, a function included', () => {
    const turn = createModelTurn();
    turn.begin(createOpenResponse(), true);
    turn.take({ type: 'go-away' });
    expect(turn.isLeaving).toBe(false);
    turn.take({ type: 'calls', calls: [{ id: 'a', name: 'look_up', argumentsJson: '{}' }] });
    expect([turn.isLeaving, turn.isCalling, turn.nameOf('a')]).toEqual([false, true, 'look_up']);
    turn.begin(createOpenResponse(), true);
    turn.take({ type: 'generation-complete' });
    expect(turn.isLeaving).toBe(true);
  });

  it('writes nothing of an answer that was cut off', async () => {
    const turn = createModelTurn();
    const next = createOpenResponse();
    turn.begin(createOpenResponse(), true);
    turn.cut();
    turn.take({ type: 'text', text: 'Late.' });
    expect(turn.isBusy).toBe(true);
    turn.take({ type: 'turn-complete' });
    expect(turn.isBusy).toBe(false);
    turn.begin(next, true);
    turn.take({ type: 'generation-complete' });
    expect((await read(next)).map(({ type }) => type)).toEqual(['finish']);
  });
});

describe('what was not heard of an answer', () => {
  const spoken = () => {
    const response = createOpenResponse();
    response.takeText('One two three four.');
    response.takeAudio(Buffer.alloc(24 * 2 * 1000), 24_000);
    response.finish([], undefined);
    return response;
  };
  it.each([
    [Infinity, null],
    [1000, null],
    [500, '[The caller interrupted you: of your last answer they heard only “One two th …”]'],
    [0, '[The caller heard nothing of your last answer.]'],
  ])('of 1 s, %s ms heard', (heardMs, note) => expect(spoken().unheard(heardMs)).toBe(note));
});
