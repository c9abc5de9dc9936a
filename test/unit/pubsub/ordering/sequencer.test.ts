import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Sequencer } from '../../../../src/pubsub/ordering/sequencer.js';

/** What the owner was told, in order: messages, and in between `missing 3` and `repeated`. */
let told: string[];
let sequencer: Sequencer<string>;
let onDeliver: (message: string) => void;

/** Whether messages may be coming over two connections. */
let patient: boolean;

const take = (seq: number, options: { stream?: string; patient?: boolean } = {}): void => {
  const { stream = 'p.0' } = options;
  patient = options.patient ?? false;
  sequencer.accept(stream, seq, `${stream}.${String(seq)}`);
};
const early = (...seqs: number[]): void => seqs.forEach((seq) => take(seq, { patient: true }));
const messages = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `p.0.${String(from + index)}`);

function newSequencer(generation?: number): Sequencer<string> {
  return new Sequencer<string>(
    {
      deliver: (message) => {
        told.push(message);
        onDeliver(message);
      },
      missing: ({ count }) => told.push(`missing ${String(count)}`),
      repeated: () => told.push('repeated'),
    },
    () => patient,
    generation,
  );
}

beforeEach(() => {
  jest.useFakeTimers();
  told = [];
  onDeliver = () => undefined;
  sequencer = newSequencer();
});

afterEach(() => {
  sequencer.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('a stream of messages', () => {
  it('is taken up where it is first heard', () => {
    take(7);
    take(8);
    expect(told).toEqual(['p.0.7', 'p.0.8']);
  });

  it('is rid of what comes again', () => {
    [0, 1, 1, 0, 2].forEach((seq) => take(seq));
    expect(told).toEqual(['p.0.0', 'p.0.1', 'repeated', 'repeated', 'p.0.2']);
  });

  it('has its holes reported, before what comes after them', () => {
    [0, 4, 5, 7].forEach((seq) => take(seq));
    expect(told).toEqual(['p.0.0', 'missing 3', 'p.0.4', 'p.0.5', 'missing 1', 'p.0.7']);
  });

  it('is kept apart from the streams of other publishers', () => {
    [0, 1, 2].forEach((seq) => {
      take(seq, { stream: 'p.0' });
      take(seq * 10, { stream: `q.${String(seq)}` });
    });
    expect(told).toHaveLength(6);
    expect(told).not.toContain('repeated');
  });

  it('has each hole dated from when it was last heard', () => {
    const reports: { since: number; until: number }[] = [];
    sequencer = new Sequencer(
      {
        deliver: () => undefined,
        missing: (report) => reports.push(report),
        repeated: () => undefined,
      },
      () => patient,
    );
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
  it('a message waits for those before it, and nothing is reported when they come', () => {
    take(0);
    early(2, 3, 5);
    expect(told).toEqual(messages(0, 0));
    early(1);
    expect(told).toEqual(messages(0, 3));
    early(4);
    expect(told).toEqual(messages(0, 5));
    expect(jest.getTimerCount()).toBe(0);
    take(6);
    expect(told).toEqual(messages(0, 6));
  });

  it('what does not come within 100 ms is reported once, before all that waited, in order', () => {
    take(0);
    early(6, 3, 4);
    jest.advanceTimersByTime(99);
    expect(told).toEqual(messages(0, 0));
    jest.advanceTimersByTime(2);
    expect(told).toEqual(['p.0.0', 'missing 3', 'p.0.3', 'p.0.4', 'p.0.6']);
    take(1);
    take(7);
    expect(told.slice(5)).toEqual(['repeated', 'p.0.7']);
  });

  it('the later ones queue up behind, though they come when nobody is patient any more', () => {
    take(0);
    early(2);
    take(3);
    take(5);
    expect(told).toEqual(messages(0, 0));
    take(1);
    expect(told).toEqual(messages(0, 3));
  });

  it('second copies of what waits are dropped', () => {
    take(0);
    early(2, 2, 0);
    expect(told).toEqual(['p.0.0', 'repeated', 'repeated']);
    early(1);
    expect(told.slice(3)).toEqual(messages(1, 2));
  });

  it('no message waits longer than 100 ms, though holes close and open before it', () => {
    take(0);
    early(2);
    jest.advanceTimersByTime(60);
    early(4);
    jest.advanceTimersByTime(30);
    early(1);
    expect(told).toEqual(messages(0, 2));
    jest.advanceTimersByTime(60);
    expect(told).toEqual(messages(0, 2));
    jest.advanceTimersByTime(11);
    expect(told.slice(3)).toEqual(['missing 1', 'p.0.4']);
  });

  it('streams wait for themselves, on one timer', () => {
    ['a', 'b', 'c'].forEach((stream, index) => {
      take(0, { stream });
      take(2, { stream, patient: true });
      jest.advanceTimersByTime(index === 2 ? 0 : 40);
    });
    expect(jest.getTimerCount()).toBe(1);
    take(1, { stream: 'b' });
    expect(told).toEqual(['a.0', 'b.0', 'c.0', 'b.1', 'b.2']);
    jest.advanceTimersByTime(21);
    expect(told.slice(5)).toEqual(['missing 1', 'a.2']);
    jest.advanceTimersByTime(80);
    expect(told.slice(7)).toEqual(['missing 1', 'c.2']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('at most 1,000 messages wait', () => {
    take(0);
    early(...Array.from({ length: 1_000 }, (_, index) => index + 2));
    expect(told).toHaveLength(1);
    early(1_003);
    expect(told).toEqual(['p.0.0', 'missing 2', ...messages(2, 1_001), 'p.0.1003']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('when a hole is known of', () => {
  it('the next message of each stream does not wait, and tells how much is missing', () => {
    take(0);
    take(0, { stream: 'q.0' });
    sequencer.resync();
    take(5);
    take(7, { stream: 'q.0', patient: true });
    expect(told).toEqual(['p.0.0', 'q.0.0', 'missing 4', 'p.0.5', 'missing 6', 'q.0.7']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('a second copy does not count as the next message', () => {
    take(0);
    sequencer.resync();
    take(0);
    take(3, { patient: true });
    expect(told).toEqual(['p.0.0', 'repeated', 'missing 2', 'p.0.3']);
  });

  it('what waited comes out', () => {
    take(0);
    early(4, 2);
    sequencer.resync();
    expect(told).toEqual(['p.0.0', 'missing 2', 'p.0.2', 'p.0.4']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

it('a stamp that is damaged or forged does not silence those after it', () => {
  take(0);
  take(Number.MAX_SAFE_INTEGER);
  take(1);
  expect(told).toEqual(['p.0.0', `p.0.${String(Number.MAX_SAFE_INTEGER)}`, 'p.0.1']);
});

describe('memory', () => {
  it('keeps streams that are heard, and takes forgotten ones up where they are heard again', () => {
    sequencer = newSequencer(10);
    take(0, { stream: 'forgotten' });
    for (let index = 0; index < 100; index += 1) {
      take(0, { stream: `passing ${String(index)}` });
      take(index, { stream: 'heard' });
    }
    told = [];
    take(99, { stream: 'heard' });
    take(50, { stream: 'forgotten' });
    expect(told).toEqual(['repeated', 'forgotten.50']);
  });

  it('does not forget a stream that holds messages back', () => {
    sequencer = newSequencer(10);
    take(0);
    early(2);
    for (let index = 0; index < 100; index += 1) take(0, { stream: `passing ${String(index)}` });
    told = [];
    take(1);
    expect(told).toEqual(messages(1, 2));
  });
});

describe('the owner', () => {
  it('gets what waited when it closes, and nothing after it', () => {
    take(0);
    early(2, 3);
    sequencer.close();
    expect(told).toEqual(['p.0.0', 'missing 1', 'p.0.2', 'p.0.3']);
    expect(jest.getTimerCount()).toBe(0);
    take(4);
    sequencer.close();
    expect(told).toHaveLength(4);
  });

  it('may close from within a delivery, and gets the rest in order first', () => {
    onDeliver = (message) => {
      if (message === 'p.0.2') {
        sequencer.close();
        told.push('closed');
      }
    };
    take(0);
    take(0, { stream: 'q.0' });
    take(4, { stream: 'q.0', patient: true });
    early(2, 3, 1);
    expect(told).toEqual(['p.0.0', 'q.0.0', 'p.0.1', 'p.0.2', 'p.0.3', 'missing 3', 'q.0.4', 'closed']);
  });

  it('may bring the next message from within a delivery', () => {
    onDeliver = (message) => {
      if (message === 'p.0.1') take(4);
    };
    take(0);
    early(2, 3, 1);
    expect(told).toEqual(messages(0, 4));
  });

  it('hears of its own error after all that is due was delivered', () => {
    take(0);
    early(2, 3);
    onDeliver = (message) => {
      if (message !== 'p.0.3') throw new Error(message);
    };
    expect(() => take(1)).toThrow('p.0.1');
    expect(() => take(4)).toThrow('p.0.4');
    onDeliver = () => undefined;
    take(5);
    expect(told).toEqual(messages(0, 5));
  });
});
