import { describe, expect, it } from 'vitest';
import { readAll } from '../../test/contracts/dialect.js';
import { cloudonixDialectFixtures } from '../../test/contracts/fixtures/cloudonix-dialect.js';
import { cloudonix } from './cloudonix/index.js';
import { advanceHandshake, initialHandshake, type Handshake } from './handshake.js';

const connected = '{"event":"connected"}';

function shakeHands(wires: readonly string[]): Handshake {
  let handshake: Handshake = initialHandshake;
  for (const wire of wires) {
    const { media, messages } = readAll(cloudonix, [wire]);
    const message = media.length > 0 ? ({ type: 'media' } as const) : messages[0];
    if (message !== undefined) handshake = advanceHandshake(cloudonix.dialect, handshake, message);
  }
  return handshake;
}

describe('advanceHandshake', () => {
  it('completes with connected and start, and stays complete', () => {
    const complete = shakeHands([connected, cloudonixDialectFixtures.start]);
    expect(complete).toMatchObject({ type: 'complete', start: { streamId: 'ST-3f0c' } });
    expect(advanceHandshake(cloudonix.dialect, complete, { type: 'stop' })).toBe(complete);
  });

  it.each([
    ['start', cloudonixDialectFixtures.start],
    ['media', cloudonixDialectFixtures.media.wire],
    ['stop', '{"event":"stop"}'],
    ['dtmf', '{"event":"dtmf","dtmf":{"digit":"5"}}'],
    ['mark', '{"event":"mark","mark":{"name":"x"}}'],
    ['something unknown', '{"event":"hello"}'],
    ['a start that is itself wrong', '{"event":"start"}'],
  ])('expects connected first, not %s', (_name, wire) => {
    expect(shakeHands([wire])).toMatchObject({ type: 'failed', error: { code: 'expected-connected' } });
  });

  it.each([
    ['connected again', connected, 'expected-start'],
    ['media', cloudonixDialectFixtures.media.wire, 'expected-start'],
    ['stop', '{"event":"stop"}', 'expected-start'],
    ['no JSON', 'hello', 'malformed-handshake'],
    ['no start object', '{"event":"start"}', 'missing-start-metadata'],
    ['no identifiers', '{"event":"start","start":{}}', 'missing-stream-identifiers'],
  ])('expects start next: %s', (_name, wire, code) => {
    expect(shakeHands([connected, wire])).toMatchObject({ type: 'failed', error: { code } });
  });

  it('tells a binary frame', () => {
    const message = { type: 'malformed', code: 'wrong-frame-type', problem: 'binary frame' } as const;
    expect(advanceHandshake(cloudonix.dialect, initialHandshake, message)).toMatchObject({ type: 'failed', error: { code: 'wrong-frame-type' } });
  });
});
