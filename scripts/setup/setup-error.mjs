/** Set-up cannot go on; the message says what the reader can do. */
export class SetupError extends Error {
  name = 'SetupError';
}
