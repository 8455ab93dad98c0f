import type { TurnLine } from '../simulator/call-report.js';
import { printable, type Output } from './output.js';

/** Width of the column of times: calls of up to an hour. */
const timeWidth = 9;

/** Prints one turn of a simulated call: when, who, what, and on the same line what is worth knowing about its timing. */
export function printTurn(output: Output, line: TurnLine): void {
  const { colors } = output;
  const who = line.who === 'agent' ? colors.cyan('agent ') : colors.green('caller');
  const note = line.note === '' ? '' : `  ${colors.dim(`[${line.note}]`)}`;
  output.line(`${colors.dim(line.at.padStart(timeWidth))}  ${who}  ${printable(line.text)}${note}`);
}
