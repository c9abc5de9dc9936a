import { beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { type ClusterPubSubClient, InjectClusterPubSubClient } from '../../../src/index.js';
import { http, type HybridApp, nestApps } from '../../support/nest-apps.js';
import { eventually } from '../../support/waiting.js';

@Controller()
class NotificationController {
  private notified: unknown = null;

  constructor(@InjectClusterPubSubClient() private readonly client: ClusterPubSubClient) {}

  @Post('notify')
  @HttpCode(202)
  notify(@Body() news: unknown): Observable<never> {
    return this.client.emit<never>('notification', news);
  }

  @Get('notified')
  last(): unknown {
    return { notified: this.notified };
  }

  @EventPattern('notification')
  onNotification(@Payload() news: unknown): void {
    this.notified = news;
  }
}

const apps = nestApps();
let hybrid: HybridApp;

beforeAll(async () => {
  hybrid = await apps.start({ controllers: [NotificationController] });
});

describe('an HTTP request that emits an event', () => {
  it('is answered when the event is out, and the handler has it soon after', async () => {
    await http(hybrid).get('/notified').expect(200, { notified: null });
    await http(hybrid).post('/notify').send({ text: 'tea is ready' }).expect(202, '');
    await eventually(async () => {
      const { body } = await http(hybrid).get('/notified');
      return body.notified !== null;
    }, 'the event is handled');
    const { body } = await http(hybrid).get('/notified');
    expect(body).toEqual({ notified: { text: 'tea is ready' } });
  });
});
