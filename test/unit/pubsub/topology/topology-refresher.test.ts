import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { NotAClusterError } from '../../../../src/pubsub/common/errors.js';
import { TopologyRefresher } from '../../../../src/pubsub/topology/topology-refresher.js';

describe('TopologyRefresher', () => {
  let refresh: jest.Mock<() => Promise<void>>;
  let refresher: TopologyRefresher;

  beforeEach(() => {
    jest.useFakeTimers();
    refresh = jest.fn(() => Promise.resolve());
    refresher = new TopologyRefresher(refresh);
  });
  afterEach(() => {
    refresher.close();
    jest.useRealTimers();
  });

  /** The number of refreshes within `ms`. */
  async function refreshesWithin(ms: number): Promise<number> {
    refresh.mockClear();
    await jest.advanceTimersByTimeAsync(ms);
    return refresh.mock.calls.length;
  }

  const find = (timeout = 1_000) => refresher.findCluster(timeout, new AbortController().signal);

  it('refreshes about once a second after the cluster is found, and not before', async () => {
    expect(await refreshesWithin(5_000)).toBe(0);
    await find();
    const count = await refreshesWithin(10_000);
    expect(count).toBeGreaterThanOrEqual(9);
    expect(count).toBeLessThanOrEqual(11);
  });

  it('refreshes at no interval where it is turned off', async () => {
    refresher = new TopologyRefresher(refresh, 0);
    await find();
    expect(await refreshesWithin(10_000)).toBe(0);
  });

  it('refreshes every 75 ms while an outage lasts, then at the interval again', async () => {
    await find();
    let isOutage = true;
    refresher.pollWhile(() => isOutage);
    expect(await refreshesWithin(750)).toBe(10);
    isOutage = false;
    await refreshesWithin(75);
    expect(await refreshesWithin(1_200)).toBeLessThanOrEqual(2);
  });

  it('refreshes less and less often when an outage lasts longer than 10 s, but at least once a second', async () => {
    refresher = new TopologyRefresher(refresh, 0);
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
    expect(await refreshesWithin(1_000)).toBe(0);
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
    await jest.advanceTimersByTimeAsync(700);
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

  it('does nothing once it is closed', async () => {
    await find();
    refresher.close();
    refresher.pollWhile(() => true);
    refresher.refreshSoon();
    expect(await refreshesWithin(5_000)).toBe(0);
  });
});
