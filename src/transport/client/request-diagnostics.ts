import { AsyncResource } from 'node:async_hooks';
import type { ReadPacket, WritePacket } from '@nestjs/microservices';
import type { PublishObserver } from '../../pubsub/common/publish-options.js';
import { TRANSPORT_DIAGNOSTICS } from '../telemetry/diagnostics-channels.js';

const { request, emit } = TRANSPORT_DIAGNOSTICS;

type Callback = (packet: WritePacket) => void;

/**
 * Makes a request, and tells `nestjs-cluster-pubsub:request` how it ended: before the asker is told. The asker is called
 * in its own async context: a reply comes in that of the connection, which is whatever opened it, another trace perhaps.
 *
 * @param start makes it with the callback that it gets, and returns how to leave it
 * @internal
 */
export function traceRequest(
  client: object,
  pattern: string,
  packet: ReadPacket,
  callback: Callback,
  start: (callback: Callback) => () => void,
): () => void {
  const began = performance.now();
  const asker = new AsyncResource('ClusterPubSubRequest');
  let isOver = false;
  const over = (outcome: 'answered' | 'failed' | 'cancelled', error?: unknown): void => {
    if (!isOver) {
      isOver = true;
      request.publish({ client, pattern, packet, outcome, error, duration: performance.now() - began });
    }
  };
  const leave = start((reply) => {
    asker.runInAsyncScope(() => {
      if (reply.err) {
        over('failed', reply.err);
      } else if (reply.isDisposed === true) {
        over('answered');
      }
      callback(reply);
    });
  });
  return () => {
    over('cancelled');
    leave();
  };
}

/**
 * An observer that tells `nestjs-cluster-pubsub:emit` what became of an event, and then `observer`.
 *
 * @internal
 */
export function traceEmit(
  client: object,
  pattern: string,
  packet: ReadPacket,
  observer: PublishObserver,
): PublishObserver {
  const began = performance.now();
  const over = (outcome: 'published' | 'failed', error?: unknown): void => {
    emit.publish({ client, pattern, packet, outcome, error, duration: performance.now() - began });
  };
  return {
    published: (receivers) => {
      over('published');
      observer.published(receivers);
    },
    failed: (error) => {
      over('failed', error);
      observer.failed(error);
    },
  };
}
