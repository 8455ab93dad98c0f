import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../base/errors.js';
import { parseCallerScript, parseDurationMs } from './caller-script.js';

describe('parseCallerScript', () => {
  it('reads every kind of line', () => {
    const script = `
      # ask, then cut the answer short
      caller: When do you open: at nine?
      interrupt 1500: Stop, please.
      interrupt 2s: wav other.wav
      now: Hello?
      caller: wav my question.wav

      dtmf: 5#
      wait: 2s
      wait: 300ms
      listen
      hangup
      drop
    `;
    expect(parseCallerScript(script)).toEqual([
      { type: 'say', text: 'When do you open: at nine?', when: { type: 'agent-finished' } },
      { type: 'say', text: 'Stop, please.', when: { type: 'agent-speaking', afterMs: 1500 } },
      { type: 'play-wav', path: 'other.wav', when: { type: 'agent-speaking', afterMs: 2000 } },
      { type: 'say', text: 'Hello?', when: { type: 'at-once' } },
      { type: 'play-wav', path: 'my question.wav', when: { type: 'agent-finished' } },
      { type: 'dtmf', digits: '5#' },
      { type: 'wait', forMs: 2000 },
      { type: 'wait', forMs: 300 },
      { type: 'listen' },
      { type: 'hang-up' },
      { type: 'drop' },
    ]);
  });

  it.each([
    ['caller:', 'line 1: nothing to say'],
    ['listen\n\nsing: la', 'line 3: expected caller, interrupt'],
    ['interrupt: stop', 'line 1: interrupt takes a time'],
    ['interrupt soon: stop', 'line 1: interrupt takes a time'],
    ['wait: a while', 'line 1: wait takes a time'],
    ['wait: 11000s', 'line 1: wait takes a time'],
    ['dtmf: 5x', 'line 1: dtmf takes keys'],
    ['dtmf:', 'line 1: dtmf takes keys'],
    ['\n'.repeat(1000), 'at most 1000 lines'],
  ])('refuses %j and names the line', (text, message) => {
    expect(() => parseCallerScript(text)).toThrow(message);
  });

  it('either understands a text or refuses it with an AgentStreamError', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        try {
          expect(Array.isArray(parseCallerScript(text))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(AgentStreamError);
        }
      }),
    );
  });
});

describe('parseDurationMs', () => {
  it.each([['1500', 1500], ['1500 ms', 1500], ['2s', 2000], ['0.5s', 500], ['', null], ['-1', null], ['1h', null]] as const)('%j is %s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });
});
