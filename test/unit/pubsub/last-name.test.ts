import { describe, expect, it } from '@jest/globals';
import { LastName } from '../../../src/pubsub/last-name.js';

const read = Buffer.from('orders, orders, orderz, order, \xff\x00', 'latin1');

describe('LastName', () => {
  it('names what stands in the buffer, the same as before or not', () => {
    const last = new LastName();
    const keys = [
      [0, 6],
      [8, 14],
      [16, 22],
      [24, 29],
      [31, 33],
      [0, 6],
    ].map(([start, end]) => last.at(read, start!, end!).key);
    expect(keys).toEqual(['orders', 'orders', 'orderz', 'order', '\xff\x00', 'orders']);
  });

  it('gives the bytes as they are, in memory of their own', () => {
    const { bytes } = new LastName().at(read, 31, 33);
    expect(bytes).toEqual(Buffer.from([0xff, 0]));
    expect(bytes.buffer === read.buffer && bytes.byteOffset === read.byteOffset + 31).toBe(false);
  });

  it('knows the name still when a reader has changed the bytes that it was given', () => {
    const last = new LastName();
    last.at(read, 0, 6).bytes.fill('x');
    expect(last.at(read, 8, 14).key).toBe('orders');
    expect(last.at(Buffer.from('xxxxxx'), 0, 6).key).toBe('xxxxxx');
  });
});
