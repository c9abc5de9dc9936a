/** Begins the name of a reply inbox, after the prefix of the application. */
export const INBOX_MARK = '_cps:in:';

/**
 * In characters of base64url: 60 bits, so that no two clients ever have the same one, and short because it travels with
 * every request and reply.
 */
export const CLIENT_ID_LENGTH = 10;

/** The id of the client whose reply inbox this is: in the name, it is between {@link INBOX_MARK} and the hash tag. */
export function clientIdOf(inbox: string): string | undefined {
  const mark = inbox.lastIndexOf(INBOX_MARK);
  const start = mark + INBOX_MARK.length;
  const end = inbox.indexOf(':{', start);
  return mark < 0 || end <= start ? undefined : inbox.slice(start, end);
}
