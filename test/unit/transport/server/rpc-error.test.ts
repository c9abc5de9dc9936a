import { describe, expect, it } from '@jest/globals';
import { toRpcError } from '../../../../src/transport/server/rpc-error.js';

describe('toRpcError', () => {
  it('never contains the text of an Error', () => {
    const masked: unknown[] = [];
    const error = new Error('password is 1234');
    expect(toRpcError(error, (one) => masked.push(one))).toEqual({
      status: 'error',
      message: 'Internal server error',
    });
    expect(masked).toEqual([error]);
  });

  it('is the content of an RpcException, and whatever filters have returned', () => {
    const unmasked = (): never => {
      throw new Error('nothing to mask');
    };
    const exception = Object.assign(new Error(), { getError: () => 'sold out' });
    expect(toRpcError(exception, unmasked)).toEqual({ status: 'error', message: 'sold out' });
    expect(toRpcError({ code: 7 }, unmasked)).toEqual({ code: 7 });
  });

  it('does not let a falsy error look like success', () => {
    expect(toRpcError(undefined, () => undefined)).toMatchObject({ status: 'error' });
  });
});
