import { expect, it } from '@jest/globals';
import { ClientsModule, type ClientProxy, type MicroserviceOptions } from '@nestjs/microservices';
import {
  ClusterPubSubClient,
  type ClusterPubSubOptions,
  ClusterPubSubServer,
} from '../../../src/transport/index.js';

const options: ClusterPubSubOptions = { nodes: [{ host: '127.0.0.1', port: 7000 }] };

it('server and client fit wherever Nest takes one, by type', () => {
  const client: ClientProxy = new ClusterPubSubClient(options);
  const microservice: MicroserviceOptions = { strategy: new ClusterPubSubServer(options) };
  const module = ClientsModule.register([{ name: 'SHOP', customClass: ClusterPubSubClient, options }]);
  expect([client, microservice, module]).toHaveLength(3);
});
