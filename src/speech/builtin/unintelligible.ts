/** What the simulated recogniser reports for speech that does not carry the builtin voice's data signal. */
export const UNINTELLIGIBLE = '[unintelligible speech]';
