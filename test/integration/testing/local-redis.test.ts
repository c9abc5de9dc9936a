import { describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { Redis } from 'ioredis';
import { startLocalRedis } from '../../../src/testing/index.js';
import { isAlive } from '../../support/processes.js';

describe('a local standalone Redis', () => {
  it('serves, and is not a cluster', async () => {
    await using server = await startLocalRedis();
    const redis = new Redis(server.port, server.host);
    expect(await redis.set('key', 'value')).toBe('OK');
    await expect(redis.cluster('INFO')).rejects.toThrow('cluster support disabled');
    redis.disconnect();
  });

  it('asks for the password it was given', async () => {
    await using server = await startLocalRedis({ password: 'secret' });
    const stranger = new Redis(server.port, server.host);
    stranger.on('error', () => undefined);
    await expect(stranger.get('key')).rejects.toThrow('NOAUTH');
    stranger.disconnect();
    const friend = new Redis(server.port, server.host, { password: 'secret' });
    expect(await friend.get('key')).toBeNull();
    friend.disconnect();
  });

  it('comes back on the same port after kill and restart', async () => {
    await using server = await startLocalRedis();
    const before = server.pid;
    await server.kill();
    expect(server.pid).toBeUndefined();
    await server.restart();
    expect(server.pid).not.toBe(before);
    const redis = new Redis(server.port, server.host);
    expect(await redis.ping()).toBe('PONG');
    redis.disconnect();
  });

  it('says why a server did not start', async () => {
    const start = startLocalRedis({ config: { 'no-such-directive': 1 } });
    await expect(start).rejects.toMatchObject({
      name: 'LocalClusterError',
      code: 'REDIS_SERVER_FAILED',
      message: expect.stringContaining('no-such-directive') as unknown,
    });
  });

  it('leaves no process and no folder after stop, even when paused', async () => {
    const server = await startLocalRedis();
    const pid = server.pid!;
    await server.pause();
    await server.stop();
    await server.stop();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(server.folder)).toBe(false);
  });
});
