/** A delay of a fake, ms: always the same, or drawn anew each time. */
export type FakeDelay = number | (() => number);

/** The delay for this time. */
export const nextDelayMs = (delay: FakeDelay): number => (typeof delay === 'number' ? delay : delay());
