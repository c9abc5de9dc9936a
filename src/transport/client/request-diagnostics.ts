import { AsyncResource } from 'node:async_hooks';
import type { ReadPacket, WritePacket } from '@nestjs/microservices';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';
import { TRANSPORT_DIAGNOSTICS } from '../telemetry/diagnostics-channels.js';

type Callback = (packet: WritePacket) => void;

/**
 * Sends a request with `send`, and publishes its outcome to `nestjs-cluster-pubsub:request` before the caller gets it.
 * The callback runs in the caller's async context: a reply arrives in the context that opened the connection, which may
 * belong to another trace.
 *
 * @param send sends the request with the callback it is given. @returns what cancels the request.
 * @internal
 */
export function traceRequest(
  client: object,
  pattern: string,
  packet: ReadPacket,
  callback: Callback,
  send: (callback: Callback) => () => void,
): () => void {
  const startedAt = performance.now();
  const context = new AsyncResource('ClusterPubSubRequest');
  let isReported = false;
  const report = (outcome: 'answered' | 'failed' | 'cancelled', error?: unknown): void => {
    if (!isReported) {
      isReported = true;
      const duration = performance.now() - startedAt;
      TRANSPORT_DIAGNOSTICS.request.publish({ client, pattern, packet, outcome, error, duration });
    }
  };
  const cancel = send((reply) =>
    context.runInAsyncScope(() => {
      if (reply.err) {
        report('failed', reply.err);
      } else if (reply.isDisposed === true) {
        report('answered');
      }
      callback(reply);
    }),
  );
  return () => {
    report('cancelled');
    cancel();
  };
}

/**
 * An observer that publishes the outcome of an event to `nestjs-cluster-pubsub:emit`, then passes it on to `observer`.
 *
 * @internal
 */
export function traceEmit(
  client: object,
  pattern: string,
  packet: ReadPacket,
  observer: PublishObserver,
): PublishObserver {
  const startedAt = performance.now();
  const report = (outcome: 'published' | 'failed', error?: unknown): void => {
    const duration = performance.now() - startedAt;
    TRANSPORT_DIAGNOSTICS.emit.publish({ client, pattern, packet, outcome, error, duration });
  };
  return {
    published: (receivers) => {
      report('published');
      observer.published(receivers);
    },
    failed: (error) => {
      report('failed', error);
      observer.failed(error);
    },
  };
}
