/** The shortest honest name of an error: its system code, else its message. Reads through `cause`, where fetch hides the reason. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return errorText(error.cause);
  return 'code' in error && typeof error.code === 'string' && error.code !== '' ? error.code : error.message;
}
