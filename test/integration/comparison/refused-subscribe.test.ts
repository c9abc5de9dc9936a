// README, "Compared with Transport.REDIS": SUBSCRIBE is refused (ACL).
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ClusterPubSubServer } from '../../../src/transport/index.js';
import { setUser } from '../../support/acl-users.js';
import { unique } from '../../support/names.js';
import { sharedCluster } from '../../support/shared-cluster.js';
import { listen } from '../../support/transports.js';

const stockServer = fileURLToPath(new URL('stock-server.mjs', import.meta.url));
const credentials = { username: unique('limited'), password: 'secret' };
const pattern = 'forbidden';
const [node] = sharedCluster() as [{ host: string; port: number }];

beforeAll(() =>
  setUser(credentials.username, 'on', '>secret', '+@all', 'allkeys', 'resetchannels', '&allowed'),
);

describe('a server whose SUBSCRIBE is refused', () => {
  it('reports that it listens, then ends with an unhandled rejection, with Transport.REDIS', async () => {
    const options = JSON.stringify({ ...node, ...credentials });
    const run = promisify(execFile)(process.execPath, [stockServer, options, pattern]);
    await expect(run).rejects.toMatchObject({
      code: 1,
      stdout: 'listening\n',
      stderr: expect.stringContaining('NOPERM'),
    });
  });

  it('fails to listen and names the channel with ours', async () => {
    const server = new ClusterPubSubServer({
      nodes: [node],
      prefix: 'shop:',
      clusterOptions: { redisOptions: credentials },
    });
    server.addHandler(pattern, async () => 1);
    await expect(listen(server)).rejects.toMatchObject({
      code: 'SUBSCRIPTION_REFUSED',
      channel: 'shop:forbidden',
      message: expect.stringContaining('shop:forbidden'),
    });
  });
});
