import { beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { lastValueFrom, Observable, scan, take } from 'rxjs';
import { type ClusterPubSubClient, InjectClusterPubSubClient } from '../../../src/index.js';
import { http, type HybridApp, nestApps } from '../../support/nest-apps.js';
import { eventually } from '../../support/waiting.js';

let asked = 0;
let left = 0;
let events = 0;

@Controller()
class RollCallController {
  constructor(@InjectClusterPubSubClient() private readonly client: ClusterPubSubClient) {}

  @Get('present')
  present(): Observable<number> {
    return this.client.send<number>('roll.call', {}).pipe(
      scan((count, one) => count + one, 0),
      take(2),
    );
  }

  /** Never completes, so that the first to answer does not end the question. */
  @MessagePattern('roll.call')
  here(): Observable<number> {
    asked++;
    return new Observable<number>((subscriber) => {
      subscriber.next(1);
      return () => {
        left++;
      };
    });
  }

  @EventPattern<string>('roll.over')
  over(): void {
    events++;
  }
}

const apps = nestApps();
let hybrid: HybridApp;

beforeAll(async () => {
  hybrid = await apps.start({ controllers: [RollCallController], servers: 2 });
});

describe('two servers of one pattern', () => {
  it('both answer a request, and neither goes on once the requester has two responses', async () => {
    await http(hybrid).get('/present').expect(200, '2');
    expect(asked).toBe(2);
    await eventually(() => left === 2, 'both streams are left');
  });

  it('both get an event, once each', async () => {
    await lastValueFrom(hybrid.client.emit('roll.over', {}), { defaultValue: undefined });
    await eventually(() => events >= 2, 'both get it');
    // Events of one channel keep their order: what a second copy would be, would be there before the next event.
    await lastValueFrom(hybrid.client.emit('roll.over', {}), { defaultValue: undefined });
    await eventually(() => events >= 4, 'both get the next one');
    expect(events).toBe(4);
  });
});
