import { expect, it } from '@jest/globals';
import { ClientsModule, type ClientProxy, type MicroserviceOptions } from '@nestjs/microservices';
import {
  ClusterPubSubClient,
  type ClusterPubSubDiagnostics,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from '../../../src/transport/index.js';
import { TRANSPORT_DIAGNOSTICS } from '../../../src/transport/telemetry/diagnostics-channels.js';

const options: ClusterPubSubOptions = { nodes: [{ host: '127.0.0.1', port: 7000 }] };

it('server and client fit wherever Nest takes one, by type', () => {
  const client: ClientProxy = new ClusterPubSubClient(options);
  const microservice: MicroserviceOptions = { strategy: new ClusterPubSubServer(options) };
  const module = ClientsModule.register([{ name: 'SHOP', customClass: ClusterPubSubClient, options }]);
  expect([client, microservice, module]).toHaveLength(3);
});

it('diagnostics messages have the fields that subscribers are promised, by type', () => {
  type Channels = typeof TRANSPORT_DIAGNOSTICS;
  type Published<Name extends keyof Channels> = Parameters<Channels[Name]['publish']>[0];
  type Promised<Name extends keyof Channels> = ClusterPubSubDiagnostics[`nestjs-cluster-pubsub:${Name}`];
  type Fits<Name extends keyof Channels> =
    Promised<Name> extends Published<Name>
      ? [keyof Promised<Name>] extends [keyof Published<Name>]
        ? true
        : false
      : false;
  const fits: { [Name in keyof Channels]: Fits<Name> } = {
    request: true,
    emit: true,
    handled: true,
    malformed: true,
  };
  expect(Object.keys(fits)).toEqual(Object.keys(TRANSPORT_DIAGNOSTICS));
});
