import { invalidValue, readEnum, readNumber } from '../../pubsub/common/validation.js';
import { PUBSUB_MODES, type PubSubMode } from './options.js';

/** Known across the ESM and the CommonJS build, whose classes are not the same objects. */
const BRAND = Symbol.for('nestjs-cluster-pubsub.record');

/**
 * A payload with what shall travel beside it. Made by {@link ClusterPubSubRecordBuilder}.
 *
 * @publicApi
 */
export class ClusterPubSubRecord<T = unknown> {
  readonly [BRAND] = true;

  constructor(
    readonly data: T,
    readonly headers?: Readonly<Record<string, string>>,
    readonly mode?: PubSubMode,
    /** Of a request, in ms; 0: none. */
    readonly timeout?: number,
  ) {}
}

/**
 * Builds a {@link ClusterPubSubRecord}: data with headers, with a mode (events) or a timeout (requests) of its own.
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
   * What the handler reads from `ClusterPubSubContext#getHeaders()`.
   *
   * @throws {InvalidArgumentError} when a value is not a string.
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
   * How an event is published, whatever the `mode` of the client says. Requests take no notice of it.
   *
   * @throws {InvalidArgumentError} when it is neither `classic` nor `sharded`.
   */
  setMode(mode: PubSubMode): this {
    this.mode = readEnum('setMode(): mode', mode, PUBSUB_MODES);
    return this;
  }

  /**
   * How long a request waits for its next answer, in ms, whatever `requestTimeout` says; 0: for ever. Events take no
   * notice of it.
   *
   * @throws {InvalidArgumentError} when it is negative or not a number.
   */
  setTimeout(ms: number): this {
    this.timeout = readNumber('setTimeout(): ms', ms, 0);
    return this;
  }

  build(): ClusterPubSubRecord<T> {
    return new ClusterPubSubRecord(this.data as T, this.headers, this.mode, this.timeout);
  }
}

/** @internal */
export function isRecord(value: unknown): value is ClusterPubSubRecord {
  return typeof value === 'object' && value !== null && BRAND in value;
}
