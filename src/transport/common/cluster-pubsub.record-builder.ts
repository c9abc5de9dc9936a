import type { ReadPacket } from '@nestjs/microservices';
import { invalidValue, readEnum, readNumber } from '../../pubsub/common/validation.js';
import { PUBSUB_MODES, type PubSubMode } from './options.js';

/** Shared by the ESM and the CommonJS build, whose classes are not the same objects. */
const BRAND = Symbol.for('nestjs-cluster-pubsub.record');

/**
 * A payload with headers and options of its own. Created by {@link ClusterPubSubRecordBuilder}.
 *
 * @publicApi
 */
export class ClusterPubSubRecord<T = unknown> {
  readonly [BRAND] = true;

  constructor(
    readonly data: T,
    readonly headers?: Readonly<Record<string, string>>,
    readonly mode?: PubSubMode,
    /** For requests, in ms; 0: no limit. */
    readonly timeout?: number,
  ) {}
}

/**
 * Builds a {@link ClusterPubSubRecord}: data with headers, and a mode (events) or a timeout (requests).
 *
 * ```ts
 * const record = new ClusterPubSubRecordBuilder(order).setHeaders({ 'x-tenant': 'acme' }).setTimeout(500).build();
 * client.send('order.place', record);
 * ```
 *
 * @publicApi
 */
export class ClusterPubSubRecordBuilder<T = unknown> {
  private data: T | undefined;
  private headers: Readonly<Record<string, string>> | undefined;
  private mode: PubSubMode | undefined;
  private timeout: number | undefined;

  constructor(data?: T) {
    this.data = data;
  }

  setData(data: T): this {
    this.data = data;
    return this;
  }

  /**
   * Sets the headers, which the handler reads with `ClusterPubSubContext#getHeaders()`.
   *
   * @throws {InvalidArgumentError} if a value is not a string.
   */
  setHeaders(headers: Readonly<Record<string, string>>): this {
    for (const [name, value] of Object.entries(headers) as [string, unknown][]) {
      if (typeof value !== 'string') {
        throw invalidValue(`The header "${name}"`, 'a string', value);
      }
    }
    this.headers = { ...headers };
    return this;
  }

  /**
   * Sets the mode in which an event is published, instead of the `mode` of the client. Does not affect requests.
   *
   * @throws {InvalidArgumentError} if it is neither `classic` nor `sharded`.
   */
  setMode(mode: PubSubMode): this {
    this.mode = readEnum('setMode(): mode', mode, PUBSUB_MODES);
    return this;
  }

  /**
   * Sets the time a request waits for a response, in ms, instead of `requestTimeout`; 0 disables the limit. Does not affect
   * events.
   *
   * @throws {InvalidArgumentError} if it is negative or not a number.
   */
  setTimeout(ms: number): this {
    this.timeout = readNumber('setTimeout(): ms', ms, 0);
    return this;
  }

  build(): ClusterPubSubRecord<T> {
    return new ClusterPubSubRecord(this.data as T, this.headers, this.mode, this.timeout);
  }
}

/** A packet of a client, and how to send it. @internal */
export interface UnpackedPacket {
  readonly route: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly mode?: PubSubMode | undefined;
  readonly timeout?: number | undefined;
}

/**
 * Replaces a record in the packet by its data, and a symbol pattern by its route, which JSON can represent.
 *
 * @internal
 */
export function unpackPacket(packet: ReadPacket<unknown>, route: string): UnpackedPacket {
  if (typeof packet.pattern === 'symbol') {
    packet.pattern = route;
  }
  if (!isRecord(packet.data)) {
    return { route };
  }
  const { data, headers, mode, timeout } = packet.data;
  packet.data = data;
  return { route, headers, mode, timeout };
}

/** @internal */
export function isRecord(value: unknown): value is ClusterPubSubRecord {
  return typeof value === 'object' && value !== null && BRAND in value;
}
