// What the type checker promises about the errors; tsc judges these files (npm run typecheck), Jest only runs them.
import { it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type * as ours from '../../../src/index.js';

type Exports = typeof ours;
/** The exported classes whose objects are errors of ours. */
type Errors = {
  [
    Name in keyof Exports as Name extends `${string}Error` ? Name : never
  ]: Exports[Name] extends abstract new (...args: never[]) => infer T ? T : never;
};

it('every error is a ClusterPubSubError, with a code and a cause', () => {
  expectTypeOf<Errors[keyof Errors]>().toExtend<ours.ClusterPubSubError>();
  expectTypeOf<ours.ClusterPubSubError>().toExtend<Error>();
  expectTypeOf<ours.ClusterPubSubError['code']>().toEqualTypeOf<string>();
  expectTypeOf<ours.ClusterPubSubError['cause']>().toEqualTypeOf<unknown>();
});

it('those a caller acts on are there by name', () => {
  type Wanted =
    | 'NoSubscribersError'
    | 'GapError'
    | 'RequestTimeoutError'
    | 'PayloadTooLargeError'
    | 'PublishError'
    | 'QueueFullError'
    | 'SubscriptionError'
    | 'ClusterUnreachableError'
    | 'AuthenticationError'
    | 'NotAClusterError'
    | 'CommandRefusedError'
    | 'ShardedUnsupportedError'
    | 'InvalidArgumentError'
    | 'NotConnectedError'
    | 'HandlerError'
    | 'ClosedError';
  expectTypeOf<Wanted>().toExtend<keyof Errors>();
});

it('they say where, how much, and what became of the message', () => {
  expectTypeOf<ours.NoSubscribersError['pattern']>().toEqualTypeOf<string>();
  expectTypeOf<Pick<ours.RequestTimeoutError, 'pattern' | 'timeout'>>().toEqualTypeOf<{
    readonly pattern: string;
    readonly timeout: number;
  }>();
  expectTypeOf<Pick<ours.PayloadTooLargeError, 'size' | 'limit'>>().toEqualTypeOf<{
    readonly size: number;
    readonly limit: number;
  }>();
  expectTypeOf<ours.PublishError['outcome']>().toEqualTypeOf<'not-delivered' | 'unknown'>();
  expectTypeOf<ours.PublishError['node']>().toEqualTypeOf<string | undefined>();
});
