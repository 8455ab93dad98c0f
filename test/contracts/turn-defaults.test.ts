import { expect, it } from 'vitest';
import { turnOptionsOf } from '../../src/call/turn-settings.js';
import { defaultTurnOptions } from '../../src/turn/options.js';
import { defaultSettings } from '../../src/workflow/settings.js';

it('an agent that sets nothing takes turns as the turn machine does by default', () => {
  // Two layers that must not know each other write the same numbers and words down: this is what keeps them equal.
  expect(turnOptionsOf(defaultSettings, { hasVendorTurns: false, canFinalizeEarly: false, canPrepare: true })).toEqual(defaultTurnOptions);
});
