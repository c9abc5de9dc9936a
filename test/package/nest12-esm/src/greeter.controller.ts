import { Controller, Get, Param } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import {
  ClusterPubSub,
  ClusterPubSubClient,
  type ClusterPubSubContext,
  InjectClusterPubSub,
  InjectClusterPubSubClient,
} from 'nestjs-cluster-pubsub';
import { type Observable, ReplaySubject } from 'rxjs';

@Controller()
export class GreeterController {
  /** What the event handler saw: the name, and the channel it came on. */
  readonly greeted = new ReplaySubject<[string, string]>(1);

  constructor(
    @InjectClusterPubSubClient() readonly client: ClusterPubSubClient,
    @InjectClusterPubSub() readonly pubsub: ClusterPubSub,
  ) {}

  @Get('hello/:name')
  hello(@Param('name') name: string): Observable<string> {
    return this.client.send<string>('greet', name);
  }

  @MessagePattern('greet')
  greet(@Payload() name: string): string {
    return `Hello, ${name}!`;
  }

  @EventPattern<string>('greeted.*')
  onGreeted(@Payload() name: string, @Ctx() context: ClusterPubSubContext): void {
    this.greeted.next([name, context.getChannel()]);
  }
}
