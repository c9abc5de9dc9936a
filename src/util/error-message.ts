const MAX_LOG_TEXT_LENGTH = 1_000;

/** The message of an error, or a string form of whatever was thrown. Never throws. */
export function errorMessage(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : error;
    return String(message);
  } catch {
    return `something that cannot be shown (${typeof error})`;
  }
}

/** {@link errorMessage} without a final full stop, to be put into a sentence. */
export function errorReason(error: unknown): string {
  return errorMessage(error).replace(/\.$/, '');
}

/** The error for a time that is over: its text, and the last failure before that, as text and as its cause. */
export function lateError(text: string, failure: unknown): Error {
  return failure === undefined
    ? new Error(text)
    : new Error(`${text}: ${errorReason(failure)}`, { cause: failure });
}

/**
 * Text that is safe to log for whatever a handler threw: its message and `code`, never other fields, which may hold the
 * data the handler was given. Never throws.
 */
export function errorLogText(error: unknown): string {
  try {
    return messageAndCode(error).slice(0, MAX_LOG_TEXT_LENGTH);
  } catch {
    return 'an error that cannot be read';
  }
}

/** The stack of an error without a `code`; an error with a code explains itself. Never throws. */
export function errorStack(error: unknown): string | undefined {
  try {
    const { code, stack } = error as { code?: unknown; stack?: unknown };
    return typeof code !== 'string' && typeof stack === 'string' ? stack : undefined;
  } catch {
    return undefined;
  }
}

function messageAndCode(error: unknown): string {
  if ((typeof error !== 'object' && typeof error !== 'function') || error === null) {
    return String(error);
  }
  const { message, code } = error as { message?: unknown; code?: unknown };
  const parts = [message, code].filter((part) => typeof part === 'string' && part !== '');
  switch (parts.length) {
    case 0:
      return `an error of the class ${error.constructor.name}`;
    case 1:
      return String(parts[0]);
    default:
      return `${String(message)} (${String(code)})`;
  }
}
