import { describe, expect, it } from '@jest/globals';
import { concat, lastValueFrom, NEVER, of } from 'rxjs';
import { outcome, transports } from '../../support/transports.js';
import { Signal } from '../../support/waiting.js';

const harness = transports();

async function silentServer(): Promise<{ asked: Promise<void> }> {
  const asked = new Signal();
  const handlers = {
    ask: () => {
      asked.resolve();
      return NEVER;
    },
    begin: () => concat(of('begun'), NEVER),
    echo: (data: unknown) => data,
  };
  await harness.server(handlers, { shutdownGracePeriod: 0 });
  return { asked: asked.promise };
}

describe('close() of a client', () => {
  it('fails at once what waits for an answer', async () => {
    const { asked } = await silentServer();
    const client = harness.client();
    const answers = Array.from({ length: 5 }, () => outcome(client.send('ask', {})));
    await asked;
    const closed = client.close();
    for (const { error } of await Promise.all(answers)) {
      expect(error).toMatchObject({ name: 'ClosedError', code: 'CLOSED' });
    }
    await closed;
  });

  it('fails a stream that has begun, after the values it gave', async () => {
    await silentServer();
    const client = harness.client();
    const begun = new Signal();
    const failed = new Signal<unknown>();
    client.send('begin', {}).subscribe({ next: () => begun.resolve(), error: failed.resolve });
    await begun.promise;
    await client.close();
    expect(await failed.promise).toMatchObject({ code: 'CLOSED' });
  });

  it('lets out what waits for the connection', async () => {
    const { asked } = await silentServer();
    const client = harness.client();
    const [request, told] = [outcome(client.send('ask', {})), outcome(client.emit('told', 1))];
    await client.close();
    await asked;
    expect((await request).error).toMatchObject({ code: 'CLOSED' });
    expect(await told).toEqual({ values: [undefined] });
  });

  it('is safe at any time and more than once', async () => {
    const client = harness.client();
    await client.close();
    await client.connect();
    await Promise.all([client.close(), client.close()]);
    await client.close();
  });

  it('is not the end: the next request connects anew', async () => {
    await silentServer();
    const client = harness.client();
    expect(await lastValueFrom(client.send('echo', 'before'))).toBe('before');
    await client.close();
    expect(await lastValueFrom(client.send('echo', 'after'))).toBe('after');
  });
});
