import { readFileSync } from 'node:fs';
import { CliError } from './cli-error.js';
import { exitCodes } from './exit-codes.js';

/** The bytes of a file that is to be uploaded. @throws CliError `usage` where it cannot be read */
export function readUpload(path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new CliError(exitCodes.usage, `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
