import { afterEach, describe, expect, it } from '@jest/globals';
import { LocalClusterError, startLocalCluster } from '../../../src/testing/index.js';
import { findRedisServer } from '../../../src/testing/find-redis-server.js';

describe('without a Redis server on the machine', () => {
  const { REDIS_SERVER } = process.env;

  afterEach(() => {
    if (REDIS_SERVER === undefined) delete process.env.REDIS_SERVER;
    else process.env.REDIS_SERVER = REDIS_SERVER;
  });

  it('one error says how to install it', () => {
    const find = () => findRedisServer({ PATH: '/nowhere' }, []);
    expect(find).toThrow(LocalClusterError);
    for (const words of ['apt-get install -y redis-server', 'dnf install', 'apk add', 'brew install']) {
      expect(find).toThrow(words);
    }
  });

  it('REDIS_SERVER that names no program is that error too, and starts nothing', async () => {
    process.env.REDIS_SERVER = '/nowhere/redis-server';
    await expect(startLocalCluster()).rejects.toMatchObject({
      code: 'REDIS_SERVER_NOT_FOUND',
      message: expect.stringContaining('/nowhere/redis-server') as unknown,
    });
  });

  it('finds a server outside the PATH in the folders systems use', () => {
    expect(findRedisServer({ PATH: '' })).toMatch(/(redis|valkey)-server$/);
  });
});
