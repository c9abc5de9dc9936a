import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type MissingReport, Sequencer } from '../../../../src/pubsub/ordering/sequencer.js';

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
      returned: () => undefined,
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
    const reports: MissingReport[] = [];
    sequencer = new Sequencer({
      deliver: () => undefined,
      missing: (report) => reports.push(report),
      returned: () => undefined,
      duplicate: () => undefined,
      mayReorder: () => mayReorder,
    });
    const start = Date.now();
    take(0);
    jest.advanceTimersByTime(500);
    take(0);
    jest.advanceTimersByTime(500);
    take(2);
    expect(reports).toEqual([{ stream: 'p.0', count: 1, since: start, until: start + 1_000 }]);
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

describe('a master that is paused, replaced and resumed', () => {
  const real = (from: number, to: number): void => {
    for (let seq = from; seq <= to; seq += 1) take(seq);
  };

  it.each([
    ['after a known gap', 4, 3],
    ['without a known gap', 4, 3],
    ['after a known gap', 5_000, 5],
    ['without a known gap', 5_000, 6],
  ])(
    'delivers nothing of what it still held, %s: %i messages, once %i came from its successor',
    (reason, held, successors) => {
      real(0, 9);
      if (reason === 'after a known gap') sequencer.resync();
      jest.advanceTimersByTime(4_000);
      const next = 10 + held;
      real(next, next + successors - 1);
      output = [];
      real(10, next + 1);
      expect(output).toEqual(Array.from({ length: held + 2 }, () => 'duplicate'));
      real(next + successors, next + 20);
      real(10, next - 1);
      expect(output.slice(held + 2)).toEqual([
        ...messages(next + successors, next + 20),
        ...Array.from({ length: held }, () => 'duplicate'),
      ]);
    },
  );

  it('delivers nothing of it where messages of the successor are missing too', () => {
    real(0, 9);
    [14, 16, 18, 19, 20].forEach((seq) => take(seq));
    output = [];
    [10, 11, 14, 15, 16, 17].forEach((seq) => take(seq));
    expect(output).toEqual(Array.from({ length: 6 }, () => 'duplicate'));
  });

  it('delivers no message again that has come after one of several steps', () => {
    real(0, 9);
    [14, 16].forEach((seq) => take(seq));
    output = [];
    [14, 16, 17].forEach((seq) => take(seq));
    expect(output).toEqual(['duplicate', 'duplicate', 'p.0.17']);
  });

  it('delivers what it held late where its successor has sent two messages at most', () => {
    real(0, 9);
    real(14, 15);
    output = [];
    real(10, 12);
    expect(output).toEqual(messages(10, 12));
  });

  it('does not bring a stream back when it is resumed again and again', () => {
    real(0, 9);
    real(20, 30);
    output = [];
    for (let seq = 10; seq < 19; seq += 1) {
      take(seq);
      jest.advanceTimersByTime(3_000);
      take(seq + 21);
    }
    expect(output.filter((line) => line !== 'duplicate')).toEqual(messages(31, 39));
  });
});

describe('a forged stamp', () => {
  const real = (from: number, to: number): void => {
    for (let seq = from; seq <= to; seq += 1) take(seq);
  };
  const delivered = (): string[] => output.filter((line) => line.startsWith('p.0.'));

  it.each([1, 10, 1_000, 1_001, 99_000_000, Number.MAX_SAFE_INTEGER - 10])(
    'that is %i ahead hides no message of the publisher',
    (ahead) => {
      real(0, 9);
      take(9 + ahead + (ahead === 1 ? 1 : 0));
      real(10, 30);
      expect(delivered().filter((line) => messages(0, 30).includes(line))).toEqual(
        expect.arrayContaining(messages(0, 30)),
      );
      expect(output).not.toContain('duplicate');
    },
  );

  it.each([1, 100, 5_000])('hides none after a known gap either, %i ahead', (ahead) => {
    real(0, 9);
    sequencer.resync();
    jest.advanceTimersByTime(1_000);
    take(9 + ahead + 1);
    output = [];
    real(10, 9 + ahead);
    expect(output).toEqual(messages(10, 9 + ahead));
  });

  it('followed by its successors is adopted, and left as soon as the publisher goes on', () => {
    real(0, 9);
    jest.advanceTimersByTime(1_000);
    real(100_000, 100_003);
    expect(output.slice(10)).toEqual([
      'p.0.100000',
      'missing 99990',
      ...['p.0.100001', 'p.0.100002', 'p.0.100003'],
    ]);
    output = [];
    real(10, 12);
    expect(output).toEqual(messages(10, 12));
  });

  it.each([100, 100_000])('followed by many more, %i ahead, hides the publisher for 5 s at most', (ahead) => {
    real(0, 9);
    jest.advanceTimersByTime(1_000);
    real(10 + ahead, 30 + ahead);
    output = [];
    real(10, 12);
    jest.advanceTimersByTime(4_999);
    take(13);
    expect(output).toEqual(Array.from({ length: 4 }, () => 'duplicate'));
    jest.advanceTimersByTime(1);
    output = [];
    real(14, 40);
    expect(output).toEqual(messages(14, 40));
  });

  it('after another one, or before any message of the stream, hides nothing either', () => {
    real(0, 9);
    sequencer.resync();
    jest.advanceTimersByTime(60_000);
    [3_000_000, 3_000_005, 3_000_800].forEach((seq) => take(seq));
    output = [];
    real(10, 20);
    expect(output).toEqual(messages(10, 20));

    sequencer = newSequencer();
    [1_000_000, 1_000_005].forEach((seq) => take(seq));
    output = [];
    real(0, 20);
    expect(output).toEqual(messages(0, 20));
  });

  it('far ahead is delivered once', () => {
    real(0, 9);
    jest.advanceTimersByTime(1_000);
    [5_000, 5_000, 10, 5_000].forEach((seq) => take(seq));
    expect(output.slice(10)).toEqual(['p.0.5000', 'duplicate', 'p.0.10', 'duplicate']);
  });

  it('is not adopted where no publisher can have sent so many messages, however many follow it', () => {
    real(0, 9);
    real(5_000_000, 5_000_010);
    real(10, 12);
    expect(output.filter((line) => !line.startsWith('p.0.'))).toEqual([]);
    expect(output.slice(-3)).toEqual(messages(10, 12));
  });

  it('that comes before all messages of its stream hides them for 2 s at most, and no more than 1,000', () => {
    take(900);
    real(0, 9);
    expect(delivered()).toEqual(['p.0.900']);
    jest.advanceTimersByTime(2_000);
    real(10, 20);
    expect(delivered().slice(1)).toEqual(messages(10, 20));

    sequencer = newSequencer();
    output = [];
    take(1_000_000);
    real(0, 20);
    expect(delivered().slice(1)).toEqual(messages(0, 20));
  });

  it('hides none while messages may come over two connections', () => {
    real(0, 9);
    early(99_000_000);
    early(5_000);
    early(5_002);
    real(10, 20);
    jest.advanceTimersByTime(200);
    early(21, 22, 23);
    expect(delivered()).toEqual(expect.arrayContaining(messages(0, 23)));
    expect(output).not.toContain('duplicate');
  });

  it.each([
    [500, 50],
    [50, 500],
    [900, 1_800],
    [1_800, 900],
    [300, 10, 700, 20, 999],
  ])('hides none after others that were forged: %j ahead', (...steps) => {
    real(0, 9);
    for (let round = 0; round < 10; round += 1) {
      for (const ahead of steps) take(9 + round + ahead + 1);
      output = [];
      real(10 + round, 10 + round);
      expect(output).toEqual(messages(10 + round, 10 + round));
    }
  });

  it('hides one message if it has the number of that one', () => {
    real(0, 9);
    take(10);
    real(10, 12);
    expect(output.slice(10)).toEqual(['p.0.10', 'duplicate', 'p.0.11', 'p.0.12']);
  });
});

it('a leap that is true is reported when the second message after it arrives, and duplicates are dropped', () => {
  take(0);
  jest.advanceTimersByTime(1_000);
  [2_001, 2_002, 2_002, 2_001, 2_003].forEach((seq) => take(seq));
  expect(output).toEqual([
    ...['p.0.0', 'p.0.2001', 'missing 2000', 'p.0.2002', 'duplicate', 'duplicate', 'p.0.2003'],
  ]);
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

  it('is shared by all sequencers: beyond 65,536 streams each keeps only a few', () => {
    const total = { streams: 0 };
    const listener = {
      deliver: (): void => undefined,
      missing: (): void => undefined,
      returned: (): void => undefined,
      duplicate: (): void => undefined,
      mayReorder: (): boolean => false,
    };
    const sequencers = Array.from({ length: 300 }, () => new Sequencer<string>(listener, 512, total));
    for (const one of sequencers) {
      for (let index = 0; index < 1_000; index += 1) one.accept(`p${String(index)}.0`, 0, 'x');
    }
    expect(total.streams).toBeLessThan(65_536 + 300 * 4);
    sequencers.forEach((one) => one.close());
    expect(total.streams).toBe(0);
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
