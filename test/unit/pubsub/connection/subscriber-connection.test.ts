import { describe, expect, it } from '@jest/globals';
import { ChannelKeyReader } from '../../../../src/pubsub/connection/subscriber-connection.js';

const read = Buffer.from('orders, orders, orderz, order, \xff\x00', 'latin1');

describe('ChannelKeyReader', () => {
  it('reads the name from the buffer, whether or not it is the same as before', () => {
    const reader = new ChannelKeyReader();
    const places = [
      [0, 6],
      [8, 14],
      [16, 22],
      [24, 29],
      [31, 33],
      [0, 6],
      [6, 6],
    ] as const;
    const names = places.map(([start, end]) => reader.read(read, start, end));
    expect(names).toEqual(['orders', 'orders', 'orderz', 'order', '\xff\x00', 'orders', '']);
  });
});
