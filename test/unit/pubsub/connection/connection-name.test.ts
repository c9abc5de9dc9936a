import { describe, expect, it } from '@jest/globals';
import { hostname } from 'node:os';
import { connectionName } from '../../../../src/pubsub/connection/connection-name.js';

describe('the name of a connection', () => {
  const nameOf = (prefix: string, host = 'web-1'): string => connectionName(prefix, host, 42);

  it('holds prefix, host and process', () => {
    expect(nameOf('shop')).toBe('nestjs-cluster-pubsub:shop:web-1:42');
    expect(connectionName('shop')).toBe(`nestjs-cluster-pubsub:shop:${hostname()}:${String(process.pid)}`);
  });

  it.each([
    ['without a prefix, has no empty place for it', '', 'nestjs-cluster-pubsub:web-1:42'],
    ['does not repeat the colon at the end of a prefix', 'shop:', 'nestjs-cluster-pubsub:shop:web-1:42'],
    ['keeps the other colons of a prefix', 'eu:shop::', 'nestjs-cluster-pubsub:eu:shop:web-1:42'],
    ['of a prefix that is a colon, has no empty place', ':', 'nestjs-cluster-pubsub:web-1:42'],
    ['replaces what Redis refuses', 'my shop\n☕:', 'nestjs-cluster-pubsub:my-shop-:web-1:42'],
  ])('%s', (_, prefix, name) => {
    expect(nameOf(prefix)).toBe(name);
  });

  it.each([
    ['Büro 7', 'B-ro-7'],
    ['fe80::1', 'fe80--1'],
  ])('can be read from the right: host %s becomes %s', (host, safe) => {
    expect(nameOf('shop:', host)).toBe(`nestjs-cluster-pubsub:shop:${safe}:42`);
  });
});
