/** Nobody reads more of one line. */
const LONGEST = 1_000;

/**
 * What a log may say of an error, which may be anything that a handler threw: its text and its `code`, never its other
 * fields, for they may hold what the handler was given. It does not throw, whatever a getter of the error does.
 *
 * @internal
 */
export function errorText(error: unknown): string {
  try {
    return textOf(error).slice(0, LONGEST);
  } catch {
    return 'an error that cannot be read';
  }
}

/** Of an `Error` that does not say by a `code` what it is. @internal */
export function errorStack(error: unknown): string | undefined {
  try {
    const { code, stack } = error as { code?: unknown; stack?: unknown };
    return typeof code !== 'string' && typeof stack === 'string' ? stack : undefined;
  } catch {
    return undefined;
  }
}

function textOf(error: unknown): string {
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
