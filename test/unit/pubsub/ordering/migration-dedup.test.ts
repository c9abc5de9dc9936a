import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MigrationDeduplicator } from '../../../../src/pubsub/ordering/migration-dedup.js';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';

const [OLD, NEW, OTHER] = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'] as NodeKey[] as [
  NodeKey,
  NodeKey,
  NodeKey,
];

/** For so long the new node may still repeat what the old one has delivered, in ms. */
const ECHOES_FOR = 1_000;

describe('MigrationDeduplicator', () => {
  let heard: string[];
  let over: number;
  let handover: MigrationDeduplicator;

  beforeEach(() => {
    jest.useFakeTimers();
    heard = [];
    over = 0;
    handover = new MigrationDeduplicator(
      OLD,
      NEW,
      ({ data, node }) => heard.push(`${data.toString()}@${node.slice(-1)}`),
      () => (over += 1),
    );
    handover.confirmed();
  });

  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  function hear(node: NodeKey, ...data: string[]): void {
    for (const one of data) {
      handover.receive({ channel: Buffer.from('channel'), data: Buffer.from(one), node });
    }
  }

  it('hears the old node and keeps what the new one sends, until the old one has ended', () => {
    hear(OLD, 'a');
    hear(NEW, 'b', 'c');
    expect(heard).toEqual(['a@1']);
    handover.complete();
    expect(heard).toEqual(['a@1', 'b@2', 'c@2']);
    handover.end();
  });

  it('hands out once what both nodes send, whichever is first', () => {
    hear(OLD, 'a', 'b');
    hear(NEW, 'a', 'b', 'c', 'd');
    hear(OLD, 'c');
    handover.complete();
    expect(heard).toEqual(['a@1', 'b@1', 'c@1', 'd@2']);
    handover.end();
  });

  it('hands out once what the new node repeats after the old one has ended', () => {
    hear(OLD, 'a', 'b');
    handover.complete();
    hear(NEW, 'a', 'b', 'c');
    expect(heard).toEqual(['a@1', 'b@1', 'c@2']);
    expect(over).toBe(0);
    jest.advanceTimersByTime(ECHOES_FOR);
    expect(over).toBe(1);
  });

  it('counts messages that are equal: what came twice is handed out twice', () => {
    hear(OLD, 'x', 'x');
    hear(NEW, 'x', 'x', 'x');
    handover.complete();
    expect(heard).toEqual(['x@1', 'x@1', 'x@2']);
    expect(over).toBe(1);
  });

  it('takes the same bytes on another channel for another message', () => {
    hear(OLD, 'x');
    handover.receive({ channel: Buffer.from('another'), data: Buffer.from('x'), node: NEW });
    handover.complete();
    expect(heard).toEqual(['x@1', 'x@2']);
    handover.end();
  });

  it('is over at once when the new node has nothing to repeat', () => {
    hear(OLD, 'a');
    hear(NEW, 'a', 'b');
    handover.complete();
    expect(over).toBe(1);
  });

  it('is over after the time of echoes where the new node never had what the old one delivered', () => {
    hear(OLD, 'a');
    hear(NEW, 'b');
    handover.complete();
    expect(heard).toEqual(['a@1', 'b@2']);
    jest.advanceTimersByTime(ECHOES_FOR - 1);
    expect(over).toBe(0);
    jest.advanceTimersByTime(1);
    expect(over).toBe(1);
  });

  it('hands out after the time of echoes what looks like one', () => {
    hear(OLD, 'a');
    handover.complete();
    jest.advanceTimersByTime(ECHOES_FOR);
    hear(NEW, 'a');
    expect(heard).toEqual(['a@1', 'a@2']);
  });

  it('hears nothing more of the old node once that has ended', () => {
    handover.complete();
    hear(OLD, 'a');
    hear(NEW, 'b');
    expect(heard).toEqual(['b@2']);
  });

  it('drops copies of what the old node delivered before we knew that the new one had us', () => {
    handover.end();
    heard = [];
    const early = new MigrationDeduplicator(
      OLD,
      NEW,
      ({ data, node }) => heard.push(`${data.toString()}@${node.slice(-1)}`),
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
    expect(heard).toEqual(['a@1', 'b@1', 'c@1', 'd@2']);
    early.end();
  });

  it('ignores a third node, of which the old one has heard everything', () => {
    hear(OLD, 'a');
    hear(OTHER, 'a');
    handover.complete();
    hear(OTHER, 'b');
    hear(NEW, 'a', 'b');
    expect(heard).toEqual(['a@1', 'b@2']);
    handover.end();
  });

  it('drops what the new node sent when that is gone before it took over', () => {
    hear(OLD, 'a');
    hear(NEW, 'a', 'b');
    handover.abandon();
    expect(heard).toEqual(['a@1']);
    expect(over).toBe(1);
  });

  it('knows of the migration before it, though that was not done', () => {
    hear(OLD, 'a', 'b');
    handover.complete();
    hear(NEW, 'a');
    const next = new MigrationDeduplicator(
      NEW,
      OTHER,
      ({ data, node }) => heard.push(`${data.toString()}@${node.slice(-1)}`),
      () => undefined,
      [],
      handover,
    );
    next.confirmed();
    handover.end();
    const send = (node: NodeKey, data: string): void => {
      next.receive({ channel: Buffer.from('channel'), data: Buffer.from(data), node });
    };
    send(NEW, 'b');
    send(NEW, 'c');
    send(OTHER, 'b');
    send(OTHER, 'c');
    send(OTHER, 'd');
    next.complete();
    expect(heard).toEqual(['a@1', 'b@1', 'c@2', 'd@3']);
    next.end();
  });

  it('keeps nothing back when it is ended before its time', () => {
    hear(OLD, 'a');
    hear(NEW, 'a', 'b');
    handover.end();
    expect(heard).toEqual(['a@1', 'b@2']);
    expect(over).toBe(1);
  });

  it('is completed and ended once, however often it is told', () => {
    hear(OLD, 'a');
    hear(NEW, 'b');
    handover.complete();
    handover.complete();
    handover.end();
    handover.end();
    expect(heard).toEqual(['a@1', 'b@2']);
    expect(over).toBe(1);
  });
});
