import { describe, expect, it } from 'vitest';
import { completenessOf, endpointingDelayMs } from './endpointing.js';
import { defaultTurnOptions } from './options.js';
import { isAcknowledgement, withoutKnown } from './words.js';

describe('isAcknowledgement', () => {
  const words = defaultTurnOptions.interruption.acknowledgementWords;
  it.each(['Mm-hm.', 'yeah yeah', 'Okay, right!', 'I see', 'uh-huh, yes'])('%s takes no turn', (text) => {
    expect(isAcknowledgement(text, words)).toBe(true);
  });
  it.each(['yes please book it', 'I see a problem', 'okay but', '', 'rights'])('%s is more than attention', (text) => {
    expect(isAcknowledgement(text, words)).toBe(false);
  });
});

describe('withoutKnown', () => {
  it.each([
    ['How much is a ticket?', 'how much is', 'a ticket?'],
    ['How much is?', 'how much is', ''],
    ['Something else.', 'how much is', 'Something else.'],
    ['How many', 'how much is', 'How many'],
    ['How', 'how much is', 'How'],
    ['Hello.', '', 'Hello.'],
    ['  Well, how much?  ', 'well', 'how much?'],
  ])('of %j, %j known, leaves %j', (text, known, left) => {
    expect(withoutKnown(text, known)).toBe(left);
  });
});

describe('completenessOf', () => {
  it.each([
    ['We are four people.', 'complete'],
    ['What time?"', 'complete'],
    ['we are four people', 'unsure'],
    ['I want to', 'unfinished'],
    ['my number is 555', 'unfinished'],
    ['well,', 'unfinished'],
    ['', 'unsure'],
  ] as const)('%s is %s', (text, expected) => {
    expect(completenessOf(text)).toBe(expected);
  });

  it('decides the delay', () => {
    const options = defaultTurnOptions.endpointing;
    expect(endpointingDelayMs('Yes.', options)).toBe(300);
    expect(endpointingDelayMs('yes', options)).toBe(450);
    expect(endpointingDelayMs('yes and', options)).toBe(1200);
  });
});
