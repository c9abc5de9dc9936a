import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MigrationDeduplicator } from '../../../../src/pubsub/ordering/migration-dedup.js';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';

const [OLD, NEW, OTHER] = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'] as NodeKey[] as [
  NodeKey,
  NodeKey,
  NodeKey,
];

/** For this long the new node may send messages that the old one has delivered. */
const DRAIN_TIMEOUT_MS = 1_000;

describe('MigrationDeduplicator', () => {
  let delivered: string[];
  let done: number;
  let migration: MigrationDeduplicator;

  beforeEach(() => {
    jest.useFakeTimers();
    delivered = [];
    done = 0;
    migration = new MigrationDeduplicator(
      OLD,
      NEW,
      ({ data, node }) => delivered.push(`${data.toString()}@${node.slice(-1)}`),
      () => (done += 1),
    );
    migration.confirmed();
  });

  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  function receive(node: NodeKey, ...data: string[]): void {
    for (const one of data) {
      migration.receive({ channel: Buffer.from('channel'), data: Buffer.from(one), node });
    }
  }

  it('delivers from the old node and holds back the messages of the new one until the old one has ended', () => {
    receive(OLD, 'a');
    receive(NEW, 'b', 'c');
    expect(delivered).toEqual(['a@1']);
    migration.complete();
    expect(delivered).toEqual(['a@1', 'b@2', 'c@2']);
    migration.end();
  });

  it('delivers once what both nodes send, whichever is first', () => {
    receive(OLD, 'a', 'b');
    receive(NEW, 'a', 'b', 'c', 'd');
    receive(OLD, 'c');
    migration.complete();
    expect(delivered).toEqual(['a@1', 'b@1', 'c@1', 'd@2']);
    migration.end();
  });

  it('delivers once what the new node sends again after the old one has ended', () => {
    receive(OLD, 'a', 'b');
    migration.complete();
    receive(NEW, 'a', 'b', 'c');
    expect(delivered).toEqual(['a@1', 'b@1', 'c@2']);
    expect(done).toBe(0);
    jest.advanceTimersByTime(DRAIN_TIMEOUT_MS);
    expect(done).toBe(1);
  });

  it('counts equal messages: what was sent twice is delivered twice', () => {
    receive(OLD, 'x', 'x');
    receive(NEW, 'x', 'x', 'x');
    migration.complete();
    expect(delivered).toEqual(['x@1', 'x@1', 'x@2']);
    expect(done).toBe(1);
  });

  it('treats the same bytes on another channel as another message', () => {
    receive(OLD, 'x');
    migration.receive({ channel: Buffer.from('another'), data: Buffer.from('x'), node: NEW });
    migration.complete();
    expect(delivered).toEqual(['x@1', 'x@2']);
    migration.end();
  });

  it('is done at once when the new node has nothing to send again', () => {
    receive(OLD, 'a');
    receive(NEW, 'a', 'b');
    migration.complete();
    expect(done).toBe(1);
  });

  it('is done after the drain timeout when the new node never had what the old one delivered', () => {
    receive(OLD, 'a');
    receive(NEW, 'b');
    migration.complete();
    expect(delivered).toEqual(['a@1', 'b@2']);
    jest.advanceTimersByTime(DRAIN_TIMEOUT_MS - 1);
    expect(done).toBe(0);
    jest.advanceTimersByTime(1);
    expect(done).toBe(1);
  });

  it('delivers after the drain timeout what looks like a duplicate', () => {
    receive(OLD, 'a');
    migration.complete();
    jest.advanceTimersByTime(DRAIN_TIMEOUT_MS);
    receive(NEW, 'a');
    expect(delivered).toEqual(['a@1', 'a@2']);
  });

  it('delivers nothing from the old node once that has ended', () => {
    migration.complete();
    receive(OLD, 'a');
    receive(NEW, 'b');
    expect(delivered).toEqual(['b@2']);
  });

  it('drops duplicates of what the old node delivered before the confirmation of the new one was read', () => {
    migration.end();
    delivered = [];
    const early = new MigrationDeduplicator(
      OLD,
      NEW,
      ({ data, node }) => delivered.push(`${data.toString()}@${node.slice(-1)}`),
      () => undefined,
    );
    const send = (node: NodeKey, ...texts: string[]): void => {
      for (const text of texts) {
        early.receive({ channel: Buffer.from('channel'), data: Buffer.from(text), node });
      }
    };
    send(OLD, 'a', 'b', 'c');
    early.confirmed();
    send(NEW, 'b', 'c', 'd');
    early.complete();
    expect(delivered).toEqual(['a@1', 'b@1', 'c@1', 'd@2']);
    early.end();
  });

  it('ignores a third node, whose messages the old one has received too', () => {
    receive(OLD, 'a');
    receive(OTHER, 'a');
    migration.complete();
    receive(OTHER, 'b');
    receive(NEW, 'a', 'b');
    expect(delivered).toEqual(['a@1', 'b@2']);
    migration.end();
  });

  it('drops what the new node sent when that fails before it takes over', () => {
    receive(OLD, 'a');
    receive(NEW, 'a', 'b');
    migration.abandon();
    expect(delivered).toEqual(['a@1']);
    expect(done).toBe(1);
  });

  it('continues the previous migration when that was not done', () => {
    receive(OLD, 'a', 'b');
    migration.complete();
    receive(NEW, 'a');
    const next = new MigrationDeduplicator(
      NEW,
      OTHER,
      ({ data, node }) => delivered.push(`${data.toString()}@${node.slice(-1)}`),
      () => undefined,
      [],
      migration,
    );
    next.confirmed();
    migration.end();
    const send = (node: NodeKey, data: string): void => {
      next.receive({ channel: Buffer.from('channel'), data: Buffer.from(data), node });
    };
    send(NEW, 'b');
    send(NEW, 'c');
    send(OTHER, 'b');
    send(OTHER, 'c');
    send(OTHER, 'd');
    next.complete();
    expect(delivered).toEqual(['a@1', 'b@1', 'c@2', 'd@3']);
    next.end();
  });

  it('holds nothing back when it is ended early', () => {
    receive(OLD, 'a');
    receive(NEW, 'a', 'b');
    migration.end();
    expect(delivered).toEqual(['a@1', 'b@2']);
    expect(done).toBe(1);
  });

  it('is completed and ended once, however often it is called', () => {
    receive(OLD, 'a');
    receive(NEW, 'b');
    migration.complete();
    migration.complete();
    migration.end();
    migration.end();
    expect(delivered).toEqual(['a@1', 'b@2']);
    expect(done).toBe(1);
  });
});
