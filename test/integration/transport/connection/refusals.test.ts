import { beforeAll, describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { setUser } from '../../../support/acl-users.js';
import { unique } from '../../../support/names.js';
import { outcome, transports } from '../../../support/transports.js';

const harness = transports();
const username = unique('limited');
const limited = { clusterOptions: { redisOptions: { username, password: 'secret' } } };

beforeAll(() =>
  setUser(username, 'on', '>secret', '+@all', '~*', 'resetchannels', `&${harness.prefix}open*`),
);

describe('where an ACL refuses', () => {
  it.each([
    ['an exact message handler', 'closed'],
    ['an exact event handler', 'event:closed'],
    ['a wildcard event handler', 'event:closed.*'],
  ])('the subscription of %s, listen fails with our error that names the channel', async (_name, pattern) => {
    const listening = harness.server({ [pattern]: () => 1, open: () => 1 }, limited);
    await expect(listening).rejects.toMatchObject({
      code: 'SUBSCRIPTION_REFUSED',
      message: expect.stringContaining(`${harness.prefix}closed`),
    });
  });

  it('the inbox, the request fails with our error, and so does the next', async () => {
    await harness.server({ open: () => 1 });
    const client = harness.client(limited);
    for (let i = 0; i < 2; i++) {
      expect(await outcome(client.send('open', 1))).toMatchObject({
        error: { code: 'SUBSCRIPTION_REFUSED' },
      });
    }
  });

  it('an event, emit fails with our error', async () => {
    const client = harness.client(limited);
    expect(await outcome(client.emit('closed', 1))).toMatchObject({
      error: { code: 'PUBLISH_FAILED', outcome: 'not-delivered' },
    });
    await lastValueFrom(client.emit('open', 1));
  });

  it('the password, listen and connect fail with our error', async () => {
    const wrong = { clusterOptions: { redisOptions: { username, password: 'wrong' } } };
    await expect(harness.server({}, wrong)).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    await expect(harness.client(wrong).connect()).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });
});
