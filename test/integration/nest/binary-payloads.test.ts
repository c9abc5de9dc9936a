import { beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, HttpCode, Post, StreamableFile } from '@nestjs/common';
import {
  type Deserializer,
  EventPattern,
  type IncomingResponse,
  MessagePattern,
  Payload,
  type Serializer,
} from '@nestjs/microservices';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { from, lastValueFrom, type Observable, toArray } from 'rxjs';
import { ClusterPubSubClient, ClusterPubSubServer, InjectClusterPubSubClient } from '../../../src/index.js';
import { http, type HybridApp, nestApps } from '../../support/nest-apps.js';
import { listen } from '../../support/transports.js';
import { Signal } from '../../support/waiting.js';

/** Every byte there is, and no valid UTF-8 among them. */
const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, i) => 255 - i));
const noted = new Signal<unknown>();

@Controller()
class BytesController {
  constructor(@InjectClusterPubSubClient() private readonly client: ClusterPubSubClient) {}

  @Post('reverse')
  @HttpCode(200)
  async reverse(@Body() bytes: Buffer): Promise<StreamableFile> {
    return new StreamableFile(await lastValueFrom(this.client.send<Buffer>('bytes.reverse', bytes)));
  }

  @MessagePattern('bytes.reverse')
  async onReverse(@Payload() bytes: Buffer): Promise<Buffer> {
    // The longer it is, the later it comes: answers overtake one another.
    await sleep(bytes.length > 1000 ? 25 : 0);
    return Buffer.from(bytes).reverse();
  }

  @MessagePattern('bytes.pieces')
  pieces(@Payload() bytes: Buffer): Observable<Uint8Array> {
    return from([...bytes].map((byte) => Uint8Array.of(byte)));
  }

  @EventPattern('bytes.noted')
  onNoted(@Payload() bytes: Buffer): void {
    noted.resolve(bytes);
  }
}

const apps = nestApps();
let hybrid: HybridApp;

beforeAll(async () => {
  hybrid = await apps.start({
    controllers: [BytesController],
    configure: (app) =>
      (app as NestExpressApplication).useBodyParser('raw', {
        type: 'application/octet-stream',
        limit: '1mb',
      }),
  });
});

async function reverseOverHttp(bytes: Buffer): Promise<Buffer> {
  const { body } = await http(hybrid)
    .post('/reverse')
    .set('content-type', 'application/octet-stream')
    .responseType('blob')
    .send(bytes)
    .expect(200);
  return body as Buffer;
}

describe('bytes', () => {
  it.each([
    ['which are no text', EVERY_BYTE],
    ['by the hundred thousand', randomBytes(300_000)],
  ])('%s go from HTTP to a service and back as they are', async (_name, bytes) => {
    const answer = await reverseOverHttp(bytes);
    expect(answer.equals(Buffer.from(bytes).reverse())).toBe(true);
  });

  it('find the request they answer when the later request is the faster one', async () => {
    const slow = randomBytes(2_000);
    const fast = randomBytes(20);
    const [slowAnswer, fastAnswer] = await Promise.all([reverseOverHttp(slow), reverseOverHttp(fast)]);
    expect(slowAnswer.equals(Buffer.from(slow).reverse())).toBe(true);
    expect(fastAnswer.equals(Buffer.from(fast).reverse())).toBe(true);
  });

  it('may be the values of a stream', async () => {
    const pieces = await lastValueFrom(
      hybrid.client.send<Buffer>('bytes.pieces', EVERY_BYTE).pipe(toArray()),
    );
    expect(pieces.every((piece) => Buffer.isBuffer(piece))).toBe(true);
    expect(Buffer.concat(pieces).equals(EVERY_BYTE)).toBe(true);
  });

  it('may be the data of an event', async () => {
    hybrid.client.emit('bytes.noted', EVERY_BYTE);
    const bytes = await noted.promise;
    expect(Buffer.isBuffer(bytes)).toBe(true);
    expect(EVERY_BYTE.equals(bytes as Buffer)).toBe(true);
  });

  it('may be whole packets, in a format of the serializers', async () => {
    const server = apps.add(new ClusterPubSubServer(apps.options({ serializer: new ColonSerializer() })));
    server.addHandler('bytes.own', async (data: Buffer) => Buffer.concat([data, Buffer.from('-replied')]));
    await listen(server);
    const client = apps.add(new ClusterPubSubClient(apps.options({ deserializer: new ColonDeserializer() })));
    const [first, second] = await Promise.all([
      lastValueFrom(client.send<Buffer>('bytes.own', Buffer.from([0, 58, 255]))),
      lastValueFrom(client.send<Buffer>('bytes.own', Buffer.from('second'))),
    ]);
    expect(first).toEqual(Buffer.concat([Buffer.from([0, 58, 255]), Buffer.from('-replied')]));
    expect(second).toEqual(Buffer.from('second-replied'));
  });
});

/** `id:bytes`; every answer is the last. */
class ColonSerializer implements Serializer<{ id: string; response: Buffer }, Buffer> {
  serialize({ id, response }: { id: string; response: Buffer }): Buffer {
    return Buffer.concat([Buffer.from(`${id}:`), response]);
  }
}

class ColonDeserializer implements Deserializer<Buffer, IncomingResponse> {
  deserialize(packet: Buffer): IncomingResponse {
    const colon = packet.indexOf(':');
    return {
      id: packet.subarray(0, colon).toString(),
      err: null,
      response: packet.subarray(colon + 1),
      isDisposed: true,
    };
  }
}
