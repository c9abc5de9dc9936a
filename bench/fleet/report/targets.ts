import type { FleetResults, Idle } from '../results.js';
import { ratesOf } from './commands.js';

export interface FleetTarget {
  readonly what: string;
  readonly atMost: number;
  readonly unit: string;
  /** Undefined where it was not measured. */
  readonly value: number | undefined;
}

/** Compares the results of our services with what was promised before they were measured. */
export function fleetTargets({ ours }: FleetResults): FleetTarget[] {
  const idle = (masters: number, links: number): Idle | undefined =>
    ours?.idle.find((one) => one.masters === masters && one.links === links);
  const single = idle(3, 1);
  const many = idle(3, 200);
  const restart = ours?.restarts.find((one) => one.of === 'services' && one.links === 200);
  return [
    target('connections of a service, 3 masters', 6, '', connectionsOf(single)),
    target('connections of a service, 9 masters', 18, '', connectionsOf(idle(9, 1))),
    target('commands of a service besides PING and probes', 2, '/s', single && ratesOf(single).others),
    target('CPU of the process of one service', 0.5, ' % of a core', percent(single?.processesCpu)),
    target(
      '200 links: commands besides PING and probes, by link',
      1.5,
      '/s',
      many && ratesOf(many).others / 200,
    ),
    target('200 links: CPU of all nodes', 3, ' % of a core', percent(many?.nodesCpu)),
    target('200 links: all ready after they start at once', 5, ' s', restart && restart.ready.max / 1_000),
  ];
}

function target(what: string, atMost: number, unit: string, value: number | undefined): FleetTarget {
  return { what, atMost, unit, value };
}

function connectionsOf(idle: Idle | undefined): number | undefined {
  return idle?.connections.reduce((sum, count) => sum + count, 0);
}

const percent = (share: number | undefined): number | undefined =>
  share === undefined ? undefined : share * 100;
