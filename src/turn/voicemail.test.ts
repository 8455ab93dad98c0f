import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answeredByOf } from '../call/voicemail-watch.js';
import { greetingPhraseIn } from './voicemail-greetings.js';
import { initialVoicemailState, stepVoicemail, type VoicemailEvent, type VoicemailOptions } from './voicemail.js';

describe('words of a greeting', () => {
  it.each([
    'Hi, it’s Ada. I can’t come to the phone right now!',
    'Your call has been forwarded to an automatic voice message system. At the tone, please record your message.',
    'Este es el buzón de voz del número seis cero cero.',
    'Der Teilnehmer ist nicht erreichbar. Bitte hinterlassen Sie eine Nachricht nach dem Signalton.',
    'Vous êtes sur le répondeur de Paul.',
    'Deixe o seu recado após o sinal.',
    'Lasciate un messaggio dopo il segnale acustico.',
  ])('are known: %s', (text) => expect(greetingPhraseIn(text)).not.toBeNull());

  it.each(['Hello?', 'Yes, this is Bob speaking, who is this?', 'Ja, hallo?', 'Oui, allô', 'I left my message with your colleague', 'The tone of your letter was fine', ''])('are not found in: %s', (text) =>
    expect(greetingPhraseIn(text)).toBeNull(),
  );
});

it('reads the carrier’s finding wherever it stands', () => {
  const findings = [{ AnsweredBy: 'human' }, { answered_by: 'machine_start' }, { answeredBy: 'machine_end_silence' }, { AnsweredBy: 'fax' }, { AnsweredBy: 'unknown' }, { AnsweredBy: 7 }, {}];
  expect(findings.map(answeredByOf)).toEqual(['human', 'machine', 'machine-ready', 'machine', null, null, null]);
});

const atMs = fc.nat(60_000);
const event: fc.Arbitrary<VoicemailEvent> = fc.oneof(
  fc.record({ type: fc.constantFrom('speech-start' as const, 'beep-heard' as const, 'wait-ended' as const), atMs }),
  fc.record({ type: fc.constant('turn-answered' as const), atMs }),
  fc.record({ type: fc.constant('speech-pause' as const), atMs, speechEndMs: atMs }),
  fc.record({ type: fc.constantFrom('transcript-interim' as const, 'transcript-final' as const), atMs, text: fc.constantFrom('', 'hello', 'leave a message') }),
  fc.record({ type: fc.constant('answered-by' as const), atMs, by: fc.constantFrom('human' as const, 'machine' as const, 'machine-ready' as const) }),
);
const options: fc.Arbitrary<VoicemailOptions> = fc.record({ action: fc.constantFrom('hang_up' as const, 'leave_message' as const), longSpeechMs: fc.constant(8000), maxWaitMs: fc.constant(30_000) });

it('reports once at the most, never after an answered turn, and what it began comes to one end', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), options, (events, rules) => {
      let state = initialVoicemailState;
      let isAnswered = false;
      const done: string[] = [];
      for (const next of [...events].sort((left, right) => left.atMs - right.atMs)) {
        const result = stepVoicemail(state, next, rules);
        if (isAnswered) expect(result.effects).toEqual([]);
        if (state.name === 'watching' && next.type === 'turn-answered') isAnswered = true;
        state = result.state;
        for (const effect of result.effects) {
          if (effect.type === 'set-timer') expect(effect.delayMs).toBeGreaterThanOrEqual(0);
          else done.push(effect.type);
        }
      }
      if (state.name === 'awaiting-beep') {
        const last = stepVoicemail(state, { type: 'wait-ended', atMs: state.untilMs }, rules);
        state = last.state;
        done.push(...last.effects.map(({ type }) => type));
        expect(state.name).toBe('over');
      }
      expect(['', 'report-voicemail,fall-silent,hang-up', 'report-voicemail,fall-silent,leave-message']).toContain(done.join());
    }),
    { numRuns: 500 },
  );
});
