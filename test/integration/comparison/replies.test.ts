// README, "Compared with Transport.REDIS": a reply · no server has the pattern · no answer arrives.
import { afterAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { IncomingResponseDeserializer, MessagePattern, Payload } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, NEVER, type Observable, timeout, TimeoutError } from 'rxjs';
import { Signal } from '../../support/waiting.js';
import { type Asker, Sides, unique } from './sides.js';

const sides = new Sides();
afterAll(() => sides.close());

/** Long enough to say that nothing comes, where an answer takes a few ms. */
const patience = 500;

describe('a reply', () => {
  const pattern = unique('echo');
  let arrived: Signal;
  let release: Signal;

  @Controller()
  class EchoController {
    @MessagePattern(pattern)
    async echo(@Payload() value: string): Promise<string> {
      if (value === 'later') {
        arrived.resolve();
        await release.promise;
      }
      return value;
    }
  }

  /** Counts the replies that reach a client, whoever they are for. */
  class Counter extends IncomingResponseDeserializer {
    count = 0;
    override deserialize(value: unknown): ReturnType<IncomingResponseDeserializer['deserialize']> {
      this.count++;
      return super.deserialize(value);
    }
  }

  /** How many replies reach a client that gets one, while another client on the same pattern gets one too. */
  async function repliesAtOneOfTwo(
    newClient: (options: { deserializer: Counter }) => Promise<Asker>,
  ): Promise<number> {
    [arrived, release] = [new Signal(), new Signal()];
    const counter = new Counter();
    const [one, other] = [
      await newClient({ deserializer: counter }),
      await newClient({ deserializer: new Counter() }),
    ];
    const answer = lastValueFrom(one.send<string>(pattern, 'later'));
    await arrived.promise;
    expect(await lastValueFrom(other.send<string>(pattern, 'now'))).toBe('now');
    release.resolve();
    expect(await answer).toBe('later');
    return counter.count;
  }

  it('goes to every client that waits on the pattern with Transport.REDIS', async () => {
    await sides.stockServer(EchoController);
    expect(await repliesAtOneOfTwo((options) => sides.stockClient(options))).toBe(2);
  });

  it('goes to the requester alone with ours', async () => {
    await sides.ourServer(EchoController);
    expect(await repliesAtOneOfTwo((options) => sides.ourClient(options))).toBe(1);
  });
});

describe('a request without a handler', () => {
  const pattern = unique('nobody');

  it('waits for ever with Transport.REDIS', async () => {
    const client = await sides.stockClient();
    await expectNoEnd(client.send(pattern, 1));
  });

  it('fails at once with ours', async () => {
    const client = await sides.ourClient();
    const request = firstValueFrom(client.send(pattern, 1).pipe(timeout(patience)));
    await expect(request).rejects.toMatchObject({ code: 'NO_SUBSCRIBERS', pattern });
  });
});

describe('a request that gets no answer', () => {
  const pattern = unique('silent');

  @Controller()
  class SilentController {
    @MessagePattern(pattern)
    silent(): Observable<never> {
      return NEVER;
    }
  }

  it('waits for ever with Transport.REDIS', async () => {
    await sides.stockServer(SilentController);
    const client = await sides.stockClient();
    await expectNoEnd(client.send(pattern, 1));
  });

  it('fails when its time is over with ours', async () => {
    await sides.ourServer(SilentController, { shutdownGracePeriod: 0 });
    const client = await sides.ourClient({ requestTimeout: 100 });
    await expect(firstValueFrom(client.send(pattern, 1))).rejects.toMatchObject({
      code: 'REQUEST_TIMEOUT',
      timeout: 100,
    });
  });
});

async function expectNoEnd(request: Observable<unknown>): Promise<void> {
  await expect(firstValueFrom(request.pipe(timeout(patience)))).rejects.toBeInstanceOf(TimeoutError);
}
