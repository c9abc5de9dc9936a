import { ClusterPubSubError } from '../../pubsub/common/errors.js';

/**
 * Nobody in the cluster serves the pattern of a request, on the word of the master that owns its channel.
 *
 * @publicApi
 */
export class NoSubscribersError extends ClusterPubSubError {
  constructor(
    /** The normalized pattern of the request. */
    readonly pattern: string,
    options?: ErrorOptions,
  ) {
    super(
      'NO_SUBSCRIBERS',
      `No service in the cluster handles "${pattern}". Start one with @MessagePattern(${JSON.stringify(pattern)}), ` +
        `and check that client and server use the same prefix.`,
      options,
    );
  }
}

/**
 * A request was not answered in time. Unless it was not even `sent`, its handler may have run, or may still be running.
 *
 * @publicApi
 */
export class RequestTimeoutError extends ClusterPubSubError {
  constructor(
    readonly pattern: string,
    /** How long the client waited, in ms. */
    readonly timeout: number,
    options?: ErrorOptions,
    /** Whether it was sent. If not, it waited for a node that is away, and no handler has seen it. */
    readonly sent = true,
  ) {
    super(
      'REQUEST_TIMEOUT',
      sent
        ? `No answer to "${pattern}" within ${String(timeout)} ms. The handler may have run. Raise requestTimeout, or ` +
            `set it for one request with ClusterPubSubRecordBuilder#setTimeout().`
        : `"${pattern}" could not be sent within ${String(timeout)} ms, for a node of the cluster does not answer. ` +
            `No handler has seen it; ask health() which node.`,
      options,
    );
  }
}

/**
 * A packet is larger than `maxPayload`; it was not sent.
 *
 * @publicApi
 */
export class PayloadTooLargeError extends ClusterPubSubError {
  constructor(
    readonly pattern: string,
    /** Size of the encoded packet, in bytes. */
    readonly size: number,
    /** The limit in force, in bytes. */
    readonly limit: number,
    options?: ErrorOptions,
  ) {
    super(
      'PAYLOAD_TOO_LARGE',
      `The packet for "${pattern}" has ${String(size)} bytes, more than maxPayload (${String(limit)}). ` +
        `Send less, or raise maxPayload on both sides.`,
      options,
    );
  }
}

/**
 * A server or client was asked for its connection before it had one.
 *
 * @publicApi
 */
export class NotConnectedError extends ClusterPubSubError {
  constructor(hint: string, options?: ErrorOptions) {
    super('NOT_CONNECTED', `There is no connection yet. ${hint}`, options);
  }
}
