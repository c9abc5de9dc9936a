import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { NotAClusterError } from '../../../../src/pubsub/common/errors.js';
import { TopologyRefresher } from '../../../../src/pubsub/topology/topology-refresher.js';

describe('TopologyRefresher', () => {
  let refresh: jest.Mock<() => Promise<void>>;
  let check: jest.Mock<() => Promise<boolean>>;
  let failure: jest.Mock<() => unknown>;
  let refresher: TopologyRefresher;

  beforeEach(() => {
    jest.useFakeTimers();
    refresh = jest.fn(() => Promise.resolve());
    check = jest.fn(() => Promise.resolve(true));
    failure = jest.fn<() => unknown>();
    refresher = new TopologyRefresher({ refresh, check, failure });
  });
  afterEach(() => {
    refresher.pause();
    jest.useRealTimers();
  });

  /** The number of refreshes within `ms`. */
  async function refreshesWithin(ms: number): Promise<number> {
    refresh.mockClear();
    await jest.advanceTimersByTimeAsync(ms);
    return refresh.mock.calls.length;
  }

  /** The number of checks within `ms`. */
  async function checksWithin(ms: number): Promise<number> {
    check.mockClear();
    await jest.advanceTimersByTimeAsync(ms);
    return check.mock.calls.length;
  }

  const find = (timeout = 1_000) => refresher.findCluster(timeout, new AbortController().signal);

  it('checks every 5–10 s after the cluster is found, and not before, while there is no sign of a change', async () => {
    expect(await checksWithin(20_000)).toBe(0);
    await find();
    refresh.mockClear();
    const count = await checksWithin(100_000);
    expect(count).toBeGreaterThanOrEqual(10);
    expect(count).toBeLessThanOrEqual(20);
    expect(refresh).not.toHaveBeenCalled();
    expect(refresher.pace).toBe('steady');
  });

  it('checks at different times in each process', async () => {
    const times = new Set<number>();
    for (let run = 0; run < 10; run += 1) {
      await find();
      check.mockClear();
      const startedAt = performance.now();
      while (check.mock.calls.length === 0) await jest.advanceTimersByTimeAsync(50);
      times.add(performance.now() - startedAt);
    }
    expect(times.size).toBeGreaterThan(3);
  });

  it('checks about once a second while something gets no sign, from the moment that this begins', async () => {
    await find();
    let isUnsignalled = false;
    const condition = () => isUnsignalled;
    refresher.watchWhile(condition);
    expect(refresher.pace).toBe('steady');
    isUnsignalled = true;
    refresher.watchWhile(condition);
    expect(refresher.pace).toBe('watch');
    const count = await checksWithin(10_000);
    expect(count).toBeGreaterThanOrEqual(9);
    expect(count).toBeLessThanOrEqual(11);
    isUnsignalled = false;
    await checksWithin(1_100);
    expect(refresher.pace).toBe('steady');
  });

  it('checks at the first publish, and about once a second while messages are published', async () => {
    await find();
    check.mockClear();
    void refresher.noteUse();
    expect(check).toHaveBeenCalledTimes(1);
    let count = 0;
    for (let second = 0; second < 10; second += 1) {
      void refresher.noteUse();
      count += await checksWithin(1_000);
    }
    expect(count).toBeGreaterThanOrEqual(9);
    expect(count).toBeLessThanOrEqual(11);
    await checksWithin(2_300);
    expect(refresher.pace).toBe('steady');
  });

  it('refreshes where a check does not agree', async () => {
    await find();
    refresh.mockClear();
    check.mockImplementation(() => Promise.resolve(false));
    await checksWithin(10_000);
    expect(refresh.mock.calls.length).toBe(check.mock.calls.length);
    expect(check).toHaveBeenCalled();
  });

  it.each([
    ['a refresh that somebody wants', () => void refresher.refresh()],
    ['a refresh that somebody wants soon', () => refresher.refreshSoon()],
    ['a change', () => refresher.alert()],
  ])('refreshes about once a second for 5 s after a sign: %s', async (_, give) => {
    await find();
    give();
    expect(refresher.pace).toBe('alert');
    await refreshesWithin(0);
    const count = await refreshesWithin(6_500);
    expect(count).toBeGreaterThanOrEqual(4);
    expect(count).toBeLessThanOrEqual(6);
    expect(refresher.pace).toBe('steady');
  });

  it('takes a check that fails for a sign', async () => {
    await find();
    check.mockImplementation(() => Promise.reject(new Error('nobody replied')));
    await checksWithin(10_000);
    expect(refresher.pace).toBe('alert');
  });

  it('keeps to the interval of the user, whatever the signs', async () => {
    refresher = new TopologyRefresher({ refresh, check, failure }, 20_000);
    await find();
    refresh.mockClear();
    refresher.watchWhile(() => true);
    void refresher.noteUse();
    refresher.alert();
    const count = (await checksWithin(200_000)) + refresh.mock.calls.length;
    expect(count).toBeGreaterThanOrEqual(9);
    expect(count).toBeLessThanOrEqual(11);
  });

  it('asks at no interval where it is turned off', async () => {
    refresher = new TopologyRefresher({ refresh, check, failure }, 0);
    await find();
    expect(await refreshesWithin(20_000)).toBe(0);
    expect(check).not.toHaveBeenCalled();
  });

  it.each([0, 20_000])(
    'keeps no condition that changes nothing, at an interval of %i ms',
    async (interval) => {
      refresher = new TopologyRefresher({ refresh, check, failure }, interval);
      await find();
      const condition = jest.fn(() => true);
      refresher.watchWhile(condition);
      expect(refresher.pace).toBe('steady');
      expect(condition).not.toHaveBeenCalled();
    },
  );

  it('refreshes every 75 ms or so while an outage lasts, then at the interval again', async () => {
    await find();
    let isOutage = true;
    refresher.pollWhile(() => isOutage);
    const count = await refreshesWithin(750);
    expect(count).toBeGreaterThanOrEqual(9);
    expect(count).toBeLessThanOrEqual(11);
    isOutage = false;
    await refreshesWithin(90);
    expect(refresher.pace).toBe('steady');
    expect(await refreshesWithin(1_200)).toBe(0);
  });

  it('refreshes less and less often when an outage lasts longer than 10 s, but at least once a second', async () => {
    refresher = new TopologyRefresher({ refresh, check, failure }, 0);
    refresher.pollWhile(() => true);
    expect(await refreshesWithin(10_000)).toBeGreaterThan(120);
    await refreshesWithin(20_000);
    const count = await refreshesWithin(10_000);
    expect(count).toBeGreaterThanOrEqual(9);
    expect(count).toBeLessThanOrEqual(11);
  });

  it('runs refreshes that are wanted soon at most once in 50 ms', async () => {
    refresher.refreshSoon();
    refresher.refreshSoon();
    expect(refresh).toHaveBeenCalledTimes(1);
    expect(await refreshesWithin(49)).toBe(0);
    expect(await refreshesWithin(1)).toBe(1);
    expect(await refreshesWithin(1_000)).toBe(0); // the cluster is not found yet
  });

  it('tries to find the cluster until the time is over, and reports the last error', async () => {
    refresh.mockImplementation(() => Promise.reject(new Error('refused')));
    const found = expect(find(500)).rejects.toThrow('refused');
    expect(await refreshesWithin(1_000)).toBeGreaterThan(3);
    await found;
  });

  it('reports a time-out where no attempt has ended', async () => {
    refresh.mockImplementation(() => new Promise(() => undefined));
    const found = expect(find(500)).rejects.toThrow('No node of the cluster replied within 500 ms.');
    await jest.advanceTimersByTimeAsync(701);
    await found;
  });

  it('reports what keeps an attempt from a result where the time is over before it has ended', async () => {
    refresh.mockImplementation(() => new Promise(() => undefined));
    const cause = new Error('Redis at a:1 refused the connection: WRONGPASS.');
    failure.mockReturnValue(cause);
    const found = expect(find(500)).rejects.toMatchObject({
      message: expect.stringMatching(/500 ms: .*WRONGPASS\.$/),
      cause,
    });
    await jest.advanceTimersByTimeAsync(701);
    await found;
  });

  it('gives up at once on errors that do not pass with time', async () => {
    refresh.mockImplementation(() => Promise.reject(new NotAClusterError('127.0.0.1:7000')));
    await expect(find()).rejects.toThrow(NotAClusterError);
    expect(refresh).toHaveBeenCalledTimes(1);
  });

  it('stops to look for the cluster when that is aborted', async () => {
    refresh.mockImplementation(() => new Promise(() => undefined));
    const controller = new AbortController();
    const found = refresher.findCluster(10_000, controller.signal);
    controller.abort();
    await expect(found).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('does nothing while it is paused', async () => {
    await find();
    refresher.pause();
    refresher.pollWhile(() => true);
    refresher.refreshSoon();
    void refresher.noteUse();
    check.mockClear();
    expect(await refreshesWithin(20_000)).toBe(0);
    expect(check).not.toHaveBeenCalled();
  });
});
