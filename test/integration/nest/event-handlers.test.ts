import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom, Observable } from 'rxjs';
import { ClusterPubSubContext, ClusterPubSubRecordBuilder } from '../../../src/index.js';
import { type HybridApp, nestApps } from '../../support/nest-apps.js';
import { eventually } from '../../support/waiting.js';

let ran: string[] = [];

@Controller()
class FirstController {
  @EventPattern('order.created')
  mail(@Payload() order: string): void {
    ran.push(`mail ${order}`);
  }

  /** Runs although nobody subscribes to it. */
  @EventPattern('order.created')
  audit(@Payload() order: string): Observable<void> {
    return new Observable((subscriber) => {
      ran.push(`audit ${order}`);
      subscriber.complete();
    });
  }
}

@Controller()
class SecondController {
  @EventPattern('order.created')
  async stock(@Payload() order: string): Promise<void> {
    await Promise.resolve();
    ran.push(`stock ${order}`);
  }

  @EventPattern<string>('order.*')
  all(@Payload() order: string, @Ctx() context: ClusterPubSubContext): void {
    ran.push(`all ${order} ${context.getPattern()}`);
  }

  @MessagePattern('order.created')
  count(@Payload() order: string): string {
    return `counted ${order}`;
  }

  @EventPattern<string>('order.dropped')
  faulty(@Payload() order: string): never {
    ran.push(`faulty ${order}`);
    throw new Error('this one always fails');
  }

  @EventPattern('order.dropped')
  async faultyToo(@Payload() order: string): Promise<never> {
    await Promise.resolve();
    ran.push(`faulty too ${order}`);
    throw new Error('this one as well');
  }

  @EventPattern('order.dropped')
  sound(@Payload() order: string): void {
    ran.push(`sound ${order}`);
  }
}

const apps = nestApps();
let hybrid: HybridApp;

beforeAll(async () => {
  hybrid = await apps.start({ controllers: [FirstController, SecondController] });
});

beforeEach(() => {
  ran = [];
});

describe('several event handlers of one pattern', () => {
  it('all run, once each', async () => {
    hybrid.client.emit('order.created', 'A');
    await eventually(() => ran.length >= 4, 'all of them ran');
    hybrid.client.emit('order.created', 'B');
    await eventually(() => ran.length >= 8, 'all of them ran again');
    expect([...ran].sort()).toEqual([
      'all A order.*',
      'all B order.*',
      'audit A',
      'audit B',
      'mail A',
      'mail B',
      'stock A',
      'stock B',
    ]);
  });

  it('all run, though some of them fail', async () => {
    hybrid.client.emit('order.dropped', 'A');
    await eventually(() => ran.length >= 4, 'all of them ran');
    hybrid.client.emit('order.dropped', 'B');
    await eventually(() => ran.length >= 8, 'all of them ran again');
    expect(ran.filter((entry) => entry.includes('B')).sort()).toEqual([
      'all B order.*',
      'faulty B',
      'faulty too B',
      'sound B',
    ]);
  });

  it('all get a sharded event too, except for wildcards', async () => {
    hybrid.client.emit('order.created', new ClusterPubSubRecordBuilder('C').setMode('sharded').build());
    await eventually(() => ran.length >= 3, 'all of them ran');
    expect([...ran].sort()).toEqual(['audit C', 'mail C', 'stock C']);
  });

  it('leave the message handler of the pattern to requests', async () => {
    expect(await lastValueFrom(hybrid.client.send('order.created', 'D'))).toBe('counted D');
    expect(ran).toEqual([]);
  });
});
