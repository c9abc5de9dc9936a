/** What the notifications service notes down when an event reaches one of its handlers. */
export interface Notification {
  /** The pattern of the handler: an exact one, or a wildcard. */
  pattern: string;
  /** The event that it got, without the prefix. */
  event: string;
  /** The order that the event tells of. */
  orderId: string;
}
