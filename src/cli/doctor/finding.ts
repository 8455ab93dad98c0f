import type { Config } from '../../config.js';
import type { CliContext } from '../command.js';

/** What one check of `doctor` found. */
export interface Finding {
  /** `problem`: something will not work, and the command exits with 6. `note`: it works, with a limit worth knowing. */
  readonly status: 'ok' | 'note' | 'problem' | 'skipped';
  /** What is, in a sentence without a full stop. Holds no secret. */
  readonly text: string;
  /** What to do about it. */
  readonly cure?: string;
}

/** What the checks are made with. */
export interface DoctorContext extends CliContext {
  /** Null where the configuration does not parse; checks that need it are skipped. */
  readonly config: Config | null;
  readonly serverUrl: string;
  readonly apiKey: string | undefined;
}

/** One numbered line of `doctor`. */
export interface Check {
  readonly title: string;
  run(context: DoctorContext): Promise<readonly Finding[]>;
}

/** Everything is as it should be. */
export const ok = (text: string): Finding => ({ status: 'ok', text });

/** It works, with a limit. */
export const note = (text: string, cure: string): Finding => ({ status: 'note', text, cure });

/** It does not work. */
export const problem = (text: string, cure: string): Finding => ({ status: 'problem', text, cure });

/** Could not be checked, which is nobody's fault. */
export const skipped = (text: string): Finding => ({ status: 'skipped', text });
