/** Set-up cannot continue; the message says what to do. */
export class SetupError extends Error {
  name = 'SetupError';
}
