import { describe, expect, it } from '@jest/globals';
import type { CommandConnection } from '../../../../src/pubsub/connection/command-connection.js';
import { channels, numpat, numsub } from '../../../../src/pubsub/connection/pubsub-commands.js';
import type { Reply } from '../../../../src/pubsub/resp/reply.js';

/** Answers each command as `reply` says, and keeps what was sent. */
function connection(reply: (...args: string[]) => Reply) {
  const sent: string[][] = [];
  const query = async <T>(read: (reply: Reply) => T | undefined, ...args: string[]): Promise<T> => {
    sent.push(args);
    const value = read(reply(...args));
    if (value === undefined) throw new Error('not accepted');
    return value;
  };
  return { sent, fake: { query } as unknown as CommandConnection };
}

const bytes = (...names: string[]): Buffer[] => names.map((name) => Buffer.from(name));

describe('PUBSUB CHANNELS', () => {
  it('leaves out the channels of probes, whatever their prefix', async () => {
    const probes = ['_cps:probe:x:{1}', 'shop:_cps:probe:x:{1}', 'žluť:_cps:probe:'];
    const others = ['_cps:prob', '__cps:probe', '_cps'];
    const { fake, sent } = connection(() => bytes(...probes, ...others));
    expect(await channels(fake, 'CHANNELS')).toEqual(others);
    expect(await channels(fake, 'SHARDCHANNELS', 'a*')).toEqual(others);
    expect(sent).toEqual([
      ['PUBSUB', 'CHANNELS'],
      ['PUBSUB', 'SHARDCHANNELS', 'a*'],
    ]);
  });

  it('keeps names that are not UTF-8 apart', async () => {
    const { fake } = connection(() => [Buffer.from([0xff]), Buffer.from([0xfe])]);
    expect(await channels(fake, 'CHANNELS')).toEqual(['\xff', '\xfe']);
  });
});

describe('PUBSUB NUMSUB', () => {
  it('counts in the order of the names, however many commands it takes', async () => {
    const { fake, sent } = connection((_pubsub, _numsub, ...names) =>
      names.flatMap((name): Reply[] => [Buffer.from(name), Number(name)]),
    );
    const names = Array.from({ length: 2_500 }, (_, index) => String(index));
    expect(await numsub(fake, 'SHARDNUMSUB', names)).toEqual(names.map(Number));
    expect(sent.map(([, command, ...some]) => [command, some.length])).toEqual([
      ['SHARDNUMSUB', 1_000],
      ['SHARDNUMSUB', 1_000],
      ['SHARDNUMSUB', 500],
    ]);
  });

  it('asks nothing for no names', async () => {
    const { fake, sent } = connection(() => null);
    expect([await numsub(fake, 'NUMSUB', []), sent]).toEqual([[], []]);
  });
});

it('PUBSUB NUMPAT is a number', async () => {
  const { fake } = connection(() => 3);
  expect(await numpat(fake)).toBe(3);
});

it.each<[string, Reply]>([
  ['nothing', null],
  ['text', Buffer.from('x')],
  ['a negative number', -1],
  ['no number', NaN],
  ['a list of numbers', [1, 2]],
  ['too short a list', [Buffer.from('a')]],
  ['a list with texts for counts', [Buffer.from('a'), Buffer.from('1'), Buffer.from('b'), 1]],
])('accepts no reply of another type: %s', async (_what, reply) => {
  const { fake } = connection(() => reply);
  await expect(numpat(fake)).rejects.toThrow('not accepted');
  await expect(numsub(fake, 'NUMSUB', ['a', 'b'])).rejects.toThrow('not accepted');
  if (!Array.isArray(reply) || typeof reply[0] === 'number') {
    await expect(channels(fake, 'CHANNELS')).rejects.toThrow('not accepted');
  }
});
