/** A file that cannot become a document. The message says what is wrong and what to do; it is shown to the user. */
export class UnreadableFileError extends Error {
  override readonly name = 'UnreadableFileError';
}
