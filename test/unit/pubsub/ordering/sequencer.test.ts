import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Sequencer } from '../../../../src/pubsub/ordering/sequencer.js';

/** The calls to the listener, in order: messages, and in between `missing 3` and `duplicate`. */
let output: string[];
let sequencer: Sequencer<string>;
let onDeliver: (message: string) => void;

/** True while messages may arrive over two connections. */
let mayReorder: boolean;

const take = (seq: number, options: { stream?: string; mayReorder?: boolean } = {}): void => {
  const { stream = 'p.0' } = options;
  mayReorder = options.mayReorder ?? false;
  sequencer.accept(stream, seq, `${stream}.${String(seq)}`);
};
const early = (...seqs: number[]): void => seqs.forEach((seq) => take(seq, { mayReorder: true }));
const messages = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `p.0.${String(from + index)}`);

function newSequencer(generation?: number): Sequencer<string> {
  return new Sequencer<string>(
    {
      deliver: (message) => {
        output.push(message);
        onDeliver(message);
      },
      missing: ({ count }) => output.push(`missing ${String(count)}`),
      duplicate: () => output.push('duplicate'),
      mayReorder: () => mayReorder,
    },
    generation,
  );
}

beforeEach(() => {
  jest.useFakeTimers();
  output = [];
  onDeliver = () => undefined;
  sequencer = newSequencer();
});

afterEach(() => {
  sequencer.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('a stream of messages', () => {
  it('starts at the first message that arrives', () => {
    take(7);
    take(8);
    expect(output).toEqual(['p.0.7', 'p.0.8']);
  });

  it('has duplicates dropped', () => {
    [0, 1, 1, 0, 2].forEach((seq) => take(seq));
    expect(output).toEqual(['p.0.0', 'p.0.1', 'duplicate', 'duplicate', 'p.0.2']);
  });

  it('has its gaps reported before the messages after them', () => {
    [0, 4, 5, 7].forEach((seq) => take(seq));
    expect(output).toEqual(['p.0.0', 'missing 3', 'p.0.4', 'p.0.5', 'missing 1', 'p.0.7']);
  });

  it('is kept apart from the streams of other publishers', () => {
    [0, 1, 2].forEach((seq) => {
      take(seq, { stream: 'p.0' });
      take(seq * 10, { stream: `q.${String(seq)}` });
    });
    expect(output).toHaveLength(6);
    expect(output).not.toContain('duplicate');
  });

  it('is continued where it was when its publisher takes turns with others', () => {
    take(0, { stream: 'p.0' });
    take(5, { stream: 'q.0' });
    take(2, { stream: 'p.0' });
    take(5, { stream: 'q.0' });
    take(0, { stream: 'r.0' });
    take(2, { stream: 'p.0' });
    expect(output).toEqual(['p.0.0', 'q.0.5', 'missing 1', 'p.0.2', 'duplicate', 'r.0.0', 'duplicate']);
  });

  it('has each gap dated from its last message', () => {
    const reports: { since: number; until: number }[] = [];
    sequencer = new Sequencer({
      deliver: () => undefined,
      missing: (report) => reports.push(report),
      duplicate: () => undefined,
      mayReorder: () => mayReorder,
    });
    const start = Date.now();
    take(0);
    jest.advanceTimersByTime(500);
    take(0);
    jest.advanceTimersByTime(500);
    take(2);
    expect(reports).toEqual([{ count: 1, since: start, until: start + 1_000 }]);
  });
});

describe('while a stream may come over two connections', () => {
  it('a message waits for earlier ones, and nothing is reported when they arrive', () => {
    take(0);
    early(2, 3, 5);
    expect(output).toEqual(messages(0, 0));
    early(1);
    expect(output).toEqual(messages(0, 3));
    early(4);
    expect(output).toEqual(messages(0, 5));
    expect(jest.getTimerCount()).toBe(0);
    take(6);
    expect(output).toEqual(messages(0, 6));
  });

  it('messages that do not arrive within 100 ms are reported once, before those that waited, in order', () => {
    take(0);
    early(6, 3, 4);
    jest.advanceTimersByTime(99);
    expect(output).toEqual(messages(0, 0));
    jest.advanceTimersByTime(2);
    expect(output).toEqual(['p.0.0', 'missing 3', 'p.0.3', 'p.0.4', 'p.0.6']);
    take(1);
    take(7);
    expect(output.slice(5)).toEqual(['duplicate', 'p.0.7']);
  });

  it('later messages queue up behind, even when they arrive after the reordering is over', () => {
    take(0);
    early(2);
    take(3);
    take(5);
    expect(output).toEqual(messages(0, 0));
    take(1);
    expect(output).toEqual(messages(0, 3));
  });

  it('duplicates of waiting messages are dropped', () => {
    take(0);
    early(2, 2, 0);
    expect(output).toEqual(['p.0.0', 'duplicate', 'duplicate']);
    early(1);
    expect(output.slice(3)).toEqual(messages(1, 2));
  });

  it('no message waits longer than 100 ms, even when gaps close and open before it', () => {
    take(0);
    early(2);
    jest.advanceTimersByTime(60);
    early(4);
    jest.advanceTimersByTime(30);
    early(1);
    expect(output).toEqual(messages(0, 2));
    jest.advanceTimersByTime(60);
    expect(output).toEqual(messages(0, 2));
    jest.advanceTimersByTime(11);
    expect(output.slice(3)).toEqual(['missing 1', 'p.0.4']);
  });

  it('streams wait independently, on one timer', () => {
    ['a', 'b', 'c'].forEach((stream, index) => {
      take(0, { stream });
      take(2, { stream, mayReorder: true });
      jest.advanceTimersByTime(index === 2 ? 0 : 40);
    });
    expect(jest.getTimerCount()).toBe(1);
    take(1, { stream: 'b' });
    expect(output).toEqual(['a.0', 'b.0', 'c.0', 'b.1', 'b.2']);
    jest.advanceTimersByTime(21);
    expect(output.slice(5)).toEqual(['missing 1', 'a.2']);
    jest.advanceTimersByTime(80);
    expect(output.slice(7)).toEqual(['missing 1', 'c.2']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('at most 1,000 messages wait', () => {
    take(0);
    early(...Array.from({ length: 1_000 }, (_, index) => index + 2));
    expect(output).toHaveLength(1);
    early(1_003);
    expect(output).toEqual(['p.0.0', 'missing 2', ...messages(2, 1_001), 'p.0.1003']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('after a known gap', () => {
  it('the next message of each stream does not wait, and the missing ones are counted', () => {
    take(0);
    take(0, { stream: 'q.0' });
    sequencer.resync();
    take(5);
    take(7, { stream: 'q.0', mayReorder: true });
    expect(output).toEqual(['p.0.0', 'q.0.0', 'missing 4', 'p.0.5', 'missing 6', 'q.0.7']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('a duplicate does not count as the next message', () => {
    take(0);
    sequencer.resync();
    take(0);
    take(3, { mayReorder: true });
    expect(output).toEqual(['p.0.0', 'duplicate', 'missing 2', 'p.0.3']);
  });

  it('waiting messages are delivered', () => {
    take(0);
    early(4, 2);
    sequencer.resync();
    expect(output).toEqual(['p.0.0', 'missing 2', 'p.0.2', 'p.0.4']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

it('a damaged or forged stamp does not silence the messages after it', () => {
  take(0);
  take(Number.MAX_SAFE_INTEGER);
  take(1);
  expect(output).toEqual(['p.0.0', `p.0.${String(Number.MAX_SAFE_INTEGER)}`, 'p.0.1']);
});

describe('memory', () => {
  it('keeps streams that are in use, and starts forgotten ones anew', () => {
    sequencer = newSequencer(10);
    take(0, { stream: 'forgotten' });
    for (let index = 0; index < 100; index += 1) {
      take(0, { stream: `passing ${String(index)}` });
      take(index, { stream: 'used' });
    }
    output = [];
    take(99, { stream: 'used' });
    take(50, { stream: 'forgotten' });
    expect(output).toEqual(['duplicate', 'forgotten.50']);
  });

  it('does not forget a stream that buffers messages', () => {
    sequencer = newSequencer(10);
    take(0);
    early(2);
    for (let index = 0; index < 100; index += 1) take(0, { stream: `passing ${String(index)}` });
    output = [];
    take(1);
    expect(output).toEqual(messages(1, 2));
  });
});

describe('the listener', () => {
  it('receives what waited when the sequencer closes, and nothing after it', () => {
    take(0);
    early(2, 3);
    sequencer.close();
    expect(output).toEqual(['p.0.0', 'missing 1', 'p.0.2', 'p.0.3']);
    expect(jest.getTimerCount()).toBe(0);
    take(4);
    sequencer.close();
    expect(output).toHaveLength(4);
  });

  it('may close the sequencer while it receives a message, and receives the rest in order first', () => {
    onDeliver = (message) => {
      if (message === 'p.0.2') {
        sequencer.close();
        output.push('closed');
      }
    };
    take(0);
    take(0, { stream: 'q.0' });
    take(4, { stream: 'q.0', mayReorder: true });
    early(2, 3, 1);
    expect(output).toEqual(['p.0.0', 'q.0.0', 'p.0.1', 'p.0.2', 'p.0.3', 'missing 3', 'q.0.4', 'closed']);
  });

  it('may pass the next message while it receives one', () => {
    onDeliver = (message) => {
      if (message === 'p.0.1') take(4);
    };
    take(0);
    early(2, 3, 1);
    expect(output).toEqual(messages(0, 4));
  });

  it('gets its own error after all pending messages were delivered', () => {
    take(0);
    early(2, 3);
    onDeliver = (message) => {
      if (message !== 'p.0.3') throw new Error(message);
    };
    expect(() => take(1)).toThrow('p.0.1');
    expect(() => take(4)).toThrow('p.0.4');
    onDeliver = () => undefined;
    take(5);
    expect(output).toEqual(messages(0, 5));
  });
});
