import { describe, expect, it } from '@jest/globals';
import { LastName } from '../../../../src/pubsub/connection/last-name.js';

const read = Buffer.from('orders, orders, orderz, order, \xff\x00', 'latin1');

describe('LastName', () => {
  it('names what stands in the buffer, the same as before or not', () => {
    const last = new LastName();
    const places = [
      [0, 6],
      [8, 14],
      [16, 22],
      [24, 29],
      [31, 33],
      [0, 6],
      [6, 6],
    ] as const;
    const names = places.map(([start, end]) => last.at(read, start, end));
    expect(names).toEqual(['orders', 'orders', 'orderz', 'order', '\xff\x00', 'orders', '']);
  });
});
