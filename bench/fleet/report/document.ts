import { table } from '../../report/markdown.js';
import { servicesPerProcess } from '../measure.js';
import type { FleetResults, Idle, KindResults, Restart } from '../results.js';
import { kinds, titleOf, type Kind } from '../service.js';
import { mostFrequent, othersOf, ratesOf } from './commands.js';
import { fleetTargets } from './targets.js';

/** The generated part of docs/performance.md. */
export function fleetDocument(results: FleetResults): string {
  return [
    conditionsOf(results),
    '### Targets of fleets',
    targetsTable(results),
    '### While nothing happens',
    'Per second and link, at all nodes together: probes are the `PUBLISH` and `SPUBLISH` of an idle cluster. Connections of a link, and those of them to the master with most. CPU in % of one core: of all nodes (in brackets without any link), and of a link in its process.',
    table(
      [
        '',
        'masters',
        'links',
        'connections',
        'to one master',
        'PING',
        'probes',
        'others',
        'most of them',
        'CPU, nodes',
        'CPU, a link',
      ],
      rowsOf(results, ({ idle }) => idle.map(idleCells)),
    ),
    '### All at once',
    'Time in ms until the first request of a service is answered: since all services started at once, or since all nodes were killed and started again, with the time until all nodes report a working cluster. For each link: CPU time in its process, and connections and commands that the nodes accepted meanwhile.',
    table(
      [
        '',
        'restarted',
        'links',
        'median',
        'last',
        'nodes work',
        'CPU, ms',
        'connections',
        'commands',
        'most of them',
      ],
      rowsOf(results, ({ restarts }) => restarts.map(restartCells)),
    ),
    '### Memory of one more',
    'KiB that one more of them needs in a process, after a garbage collection; the Nest application is part of it.',
    table(
      ['', 'heap', 'RSS'],
      rowsOf(results, ({ memory: { heap, rss } }) => [[(heap / 1_024).toFixed(0), (rss / 1_024).toFixed(0)]]),
    ),
  ].join('\n\n');
}

function targetsTable(results: FleetResults): string {
  const rows = fleetTargets(results).map(({ what, atMost, unit, value }) => [
    what,
    `≤ ${String(atMost)}${unit}`,
    value === undefined ? '–' : `${String(Number(value.toFixed(2)))}${unit}`,
    value === undefined ? 'not measured' : value <= atMost ? 'reached' : '**not reached**',
  ]);
  return table(['', 'target', 'measured', ''], rows);
}

function idleCells(idle: Idle): string[] {
  const { links, connections } = idle;
  const { ping, probes, others } = ratesOf(idle);
  const perLink = (count: number): string => (count / links).toFixed(1);
  return [
    String(idle.masters),
    String(links),
    perLink(connections.reduce((sum, count) => sum + count, 0)),
    perLink(Math.max(...connections)),
    perLink(ping),
    perLink(probes),
    perLink(others),
    mostFrequent(othersOf(idle)),
    `${percent(idle.nodesCpu)} (${percent(idle.nodesCpuBefore)})`,
    percent(idle.processesCpu === undefined ? undefined : idle.processesCpu / links),
  ];
}

function restartCells(restart: Restart): string[] {
  const { of, links, ready, cpu, nodesWork, connectionsOpened, commands } = restart;
  const all = commands && Object.values(commands).reduce((sum, count) => sum + count, 0);
  return [
    of,
    String(links),
    shown(ready.median),
    shown(ready.max),
    shown(nodesWork),
    shown(cpu),
    shown(connectionsOpened, 1),
    shown(all),
    commands === undefined ? '' : mostFrequent(commands),
  ];
}

/** The rows of all kinds, each with its title. */
function rowsOf(results: FleetResults, cells: (results: KindResults) => string[][]): string[][] {
  return recorded(results).flatMap(([kind, own]) => cells(own).map((row) => [titleOf(kind), ...row]));
}

function conditionsOf(results: FleetResults): string {
  const rows = recorded(results).map(([kind, { conditions }]) => {
    const { day, window, cores, loadBefore, versions } = conditions;
    const software = ['Node', 'ioredis', 'Nest', 'redis-server'].map(
      (name) => `${name} ${versions[name] ?? ''}`,
    );
    return `- ${titleOf(kind)}: ${day}, idle intervals of ${String(window / 1_000)} s, ${String(cores)} cores for all, load average before it ${String(loadBefore)}; ${software.join(', ')}.`;
  });
  const most = `Up to ${String(servicesPerProcess)} services run in one process; masters have no replicas.`;
  return ['Measured by `npm run bench:fleet`:', '', ...rows, '', most].join('\n');
}

function recorded(results: FleetResults): (readonly [Kind, KindResults])[] {
  return kinds.flatMap((kind) => {
    const own = results[kind];
    return own === undefined ? [] : [[kind, own] as const];
  });
}

const percent = (share: number | undefined): string => (share === undefined ? '–' : (share * 100).toFixed(2));
const shown = (value: number | undefined, digits = 0): string =>
  value === undefined ? '–' : value.toFixed(digits);
