import { parseTemplate, renderTemplate } from '../../workflow/template.js';
import { sendDigitsConfig } from '../../workflow/tools/tool-configs.js';
import { toolKind } from './tool-kind.js';

/** Most keys and pauses of one call. */
const MAX_DIGITS = 64;

/** Plays keys as tones, for a menu on the other side: in the audio, so that every carrier carries them. */
export const sendDigits = toolKind({
  readConfig: (config) => sendDigitsConfig.parse(config),
  timeoutMs: () => 1000,
  run({ config, arguments: given }, { clock, variables }) {
    const asked = config.digits === undefined ? String(given['digits']) : renderTemplate(parseTemplate(config.digits), variables, clock.wallMs());
    const digits = asked.replaceAll(/[\s-]/g, '').toUpperCase();
    const isPlayable = new RegExp(`^[0-9*#A-D,]{1,${MAX_DIGITS}}$`).test(digits);
    return Promise.resolve(
      isPlayable
        ? { text: 'The keys are being pressed.', isError: false, followUp: { type: 'play-tones', digits } }
        : { text: `Error: digits must be 1 to ${MAX_DIGITS} of 0-9, *, # and the comma.`, isError: true },
    );
  },
});
