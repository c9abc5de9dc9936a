/** The table of a state machine: the states that each state may change to. */
export type Transitions<State extends string> = Readonly<Record<State, readonly State[]>>;

/**
 * Returns the new state of a machine.
 *
 * @throws {Error} on a move that is not in the table, if `NODE_ENV` is `test`. In production an exception here would end a
 * connection or the process.
 */
export function transition<State extends string>(
  machine: string,
  transitions: Transitions<State>,
  from: State,
  to: State,
): State {
  // `process.env` is slow to read, so it comes last.
  if (from !== to && !transitions[from].includes(to) && process.env['NODE_ENV'] === 'test') {
    throw new Error(`Illegal transition of ${machine}: ${from} → ${to}`);
  }
  return to;
}
