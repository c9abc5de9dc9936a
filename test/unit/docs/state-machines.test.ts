import { describe, expect, it } from '@jest/globals';
import { LIFECYCLE_TRANSITIONS } from '../../../src/pubsub/engine/lifecycle.js';
import { PROBE_TRANSITIONS } from '../../../src/pubsub/liveness/liveness-probe.js';
import { MIGRATION_TRANSITIONS } from '../../../src/pubsub/ordering/migration-dedup.js';
import { NODE_SUBSCRIBER_TRANSITIONS } from '../../../src/pubsub/reconciler/node-subscriber.js';
import { SUBSCRIPTION_TRANSITIONS } from '../../../src/pubsub/subscription/subscription-state.js';
import { PENDING_REQUEST_TRANSITIONS } from '../../../src/transport/client/pending-request.js';
import { REQUEST_EXECUTION_TRANSITIONS } from '../../../src/transport/server/request-execution.js';
import { readDocument } from '../../support/documents.js';

const text = readDocument('docs/architecture.md');

const machines: readonly [title: string, moves: readonly string[]][] = [
  ['Subscription', SUBSCRIPTION_TRANSITIONS.map(({ from, to }) => `${from} → ${to}`)],
  ['Node subscriber', movesOf(NODE_SUBSCRIBER_TRANSITIONS)],
  ['Pending request', movesOf(PENDING_REQUEST_TRANSITIONS)],
  ['Request execution', movesOf(REQUEST_EXECUTION_TRANSITIONS)],
  ['Engine lifecycle', movesOf(LIFECYCLE_TRANSITIONS)],
  ['Probe', movesOf(PROBE_TRANSITIONS)],
  ['Migration deduplication', movesOf(MIGRATION_TRANSITIONS)],
];

describe('the state machines of docs/architecture.md', () => {
  it.each(machines)('%s: the table is that of the code', (title, moves) => {
    expect(
      tableOf(title)
        .map(({ from, to }) => `${from} → ${to}`)
        .sort(),
    ).toEqual([...moves].sort());
  });

  it.each(machines)('%s: the drawing is the table', (title) => {
    expect(drawingOf(title)).toEqual(tableOf(title));
  });

  it('name the events of a subscription as the code does', () => {
    expect(tableOf('Subscription')).toEqual(SUBSCRIPTION_TRANSITIONS);
  });
});

interface Move {
  readonly from: string;
  readonly to: string;
  readonly on: string;
}

function movesOf(transitions: Readonly<Record<string, readonly string[]>>): string[] {
  return Object.entries(transitions).flatMap(([from, all]) => all.map((to) => `${from} → ${to}`));
}

function tableOf(title: string): Move[] {
  return movesIn(title, /^\| `(\w+)` +\| `(\w+)` +\| (.+?) +\|$/gm);
}

function drawingOf(title: string): Move[] {
  return movesIn(title, /^ {2}(\w+) --> (\w+): (.+)$/gm);
}

function movesIn(title: string, line: RegExp): Move[] {
  const section = text.split(`\n### ${title}\n`)[1]?.split(/\n##/)[0] ?? '';
  return [...section.matchAll(line)].map(([, from, to, on]) => ({ from: from!, to: to!, on: on! }));
}
