import { parseTemplate, renderTemplate } from '../../workflow/template.js';
import { endCallConfig } from '../../workflow/tools/tool-configs.js';
import { toolKind } from './tool-kind.js';

/** Longest reason that is kept, characters. */
const MAX_REASON_LENGTH = 200;

/** Ends the call after its last words. */
export const endCall = toolKind({
  readConfig: (config) => endCallConfig.parse(config),
  timeoutMs: () => 1000,
  run({ config, arguments: { reason } }, { clock, variables }) {
    const text = renderTemplate(parseTemplate(config.message), variables, clock.wallMs()).trim();
    const disposition = config.reason ? String(reason).trim().slice(0, MAX_REASON_LENGTH) : undefined;
    return Promise.resolve({ text: 'The call ends.', isError: false, followUp: { type: 'hang-up', text, disposition } });
  },
});
