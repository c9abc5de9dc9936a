/** The record that the notifications service keeps of each event that reaches one of its handlers. */
export interface Notification {
  /** The pattern of the handler: an exact one, or a wildcard. */
  pattern: string;
  /** The event's channel, without the prefix. */
  event: string;
  /** The order of the event. */
  orderId: string;
}
