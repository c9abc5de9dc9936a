import { distinctName, keyOfBytes } from '../common/channel-name.js';
import { PROBE_MARK } from '../liveness/liveness-probe.js';
import type { ActiveChannels } from './health-types.js';

const MARK = Buffer.from(PROBE_MARK, 'latin1');
const FIRST_OF_MARK = MARK[0];

/** So that nobody can choose names that all come to lie at one place. */
const SEED = Math.floor(Math.random() * 2 ** 32);

/**
 * How many different names there are in the answers of all nodes to `PUBSUB CHANNELS`; those of probes are left out. There
 * may be very many, and a string of each would cost more than all else that a look at the cluster does (measured: a
 * `Set` of 10,000 strings 1.9 ms, this 1.0 ms). Only what is shown becomes one.
 */
export function countNames(lists: readonly (readonly Buffer[])[], most: number): ActiveChannels {
  const total = lists.reduce((sum, list) => sum + list.length, 0);
  const last = 2 ** Math.ceil(Math.log2(2 * total + 2)) - 1;
  /** Open addressing: 1 + the place in `names`; 0 where there is none. */
  const places = new Uint32Array(last + 1);
  const names: Buffer[] = [];
  const hashes: number[] = [];
  for (const list of lists) {
    for (const name of list) {
      const hash = hashOf(name);
      let at = hash & last;
      let place = places[at] as number;
      while (place !== 0 && !(hashes[place - 1] === hash && names[place - 1]?.equals(name))) {
        at = (at + 1) & last;
        place = places[at] as number;
      }
      if (place === 0 && !isOfProbe(name)) {
        hashes.push(hash);
        places[at] = names.push(name);
      }
    }
  }
  const shown = names.slice(0, most).map((name) => distinctName(keyOfBytes(name)));
  return { count: names.length, names: shown.sort() };
}

/** FNV-1a. */
function hashOf(name: Buffer): number {
  let hash = SEED;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ (name[index] as number), 0x01000193);
  }
  return hash;
}

function isOfProbe(name: Buffer): boolean {
  for (let start = name.length - MARK.length; start >= 0; start -= 1) {
    if (name[start] === FIRST_OF_MARK && isMarkAt(name, start)) {
      return true;
    }
  }
  return false;
}

function isMarkAt(name: Buffer, start: number): boolean {
  for (let index = 1; index < MARK.length; index += 1) {
    if (name[start + index] !== MARK[index]) {
      return false;
    }
  }
  return true;
}
