import { calculate } from '../../workflow/tools/arithmetic.js';
import { calculatorConfig } from '../../workflow/tools/tool-configs.js';
import { toolKind } from './tool-kind.js';

/** Arithmetic, which models are bad at. */
export const calculator = toolKind({
  readConfig: (config) => calculatorConfig.parse(config),
  timeoutMs: () => 1000,
  run({ arguments: { expression } }) {
    const result = calculate(String(expression));
    return Promise.resolve(result.ok ? { text: String(result.value), isError: false } : { text: `Error: ${result.message}.`, isError: true });
  },
});
