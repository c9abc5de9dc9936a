import { errorReason } from '../../util/error-message.js';
import { ClusterPubSubError } from '../../pubsub/common/errors.js';

/**
 * No server in the cluster handles the pattern of a request, according to the master that owns its channel.
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
      `No server in the cluster handles "${pattern}". Start one with @MessagePattern(${JSON.stringify(pattern)}), ` +
        'and check that client and server use the same prefix.',
      options,
    );
  }
}

/**
 * A request timed out. If it was `sent`, its handler may have run, or may still be running.
 *
 * @publicApi
 */
export class RequestTimeoutError extends ClusterPubSubError {
  constructor(
    readonly pattern: string,
    /** The time the client waited, in ms. */
    readonly timeout: number,
    options?: ErrorOptions,
    /** False if the request was still waiting for an unavailable node: no handler has received it. */
    readonly sent = true,
  ) {
    super(
      'REQUEST_TIMEOUT',
      sent
        ? `Request "${pattern}" timed out after ${String(timeout)} ms. The handler may have run. Raise requestTimeout, ` +
            'or set it for one request with ClusterPubSubRecordBuilder#setTimeout().'
        : `Request "${pattern}" timed out after ${String(timeout)} ms before it could be sent: a cluster node is not ` +
            `responding${reasonOf(options)}. No handler received it. Call health() to find the node.`,
      options,
    );
  }
}

function reasonOf(options: ErrorOptions | undefined): string {
  return options?.cause === undefined ? '' : `: ${errorReason(options.cause)}`;
}

/**
 * A packet exceeds `maxPayload` and was not sent.
 *
 * @publicApi
 */
export class PayloadTooLargeError extends ClusterPubSubError {
  constructor(
    readonly pattern: string,
    /** The size of the encoded packet, in bytes. */
    readonly size: number,
    /** The value of `maxPayload`, in bytes. */
    readonly limit: number,
    options?: ErrorOptions,
  ) {
    super(
      'PAYLOAD_TOO_LARGE',
      `The packet for "${pattern}" has ${String(size)} bytes, which exceeds maxPayload (${String(limit)}). ` +
        'Send less data, or raise maxPayload on both sides.',
      options,
    );
  }
}

/**
 * A server or client was asked for its engine before it had one.
 *
 * @publicApi
 */
export class NotConnectedError extends ClusterPubSubError {
  constructor(hint: string, options?: ErrorOptions) {
    super('NOT_CONNECTED', `Not connected yet. ${hint}`, options);
  }
}
