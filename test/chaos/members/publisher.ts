import type { Publication, RequestRecord } from '../evidence.js';
import { trafficPlanFor, requestPatternsOf } from '../traffic-plan.js';
import type { Channel, Peer, PeerDefinition } from '../peer.js';
import { until } from './until.js';
import { Metronome } from './metronome.js';
import { emptyReport, type PublisherRole, type Report } from './protocol.js';

/** How long the last publish or request may take to settle. */
const SETTLE_TIMEOUT_MS = 12_000;

type Settled = Pick<Publication, 'ended' | 'outcome' | 'code' | 'count'>;

interface OpenMessage {
  readonly facts: Pick<Publication, 'publisher' | 'channel' | 'n' | 'started'>;
  settled?: Settled;
}

interface OpenRequest {
  readonly id: string;
  readonly started: number;
  ended?: number;
  outcome?: string;
}

/** Publishes numbered messages on every channel in turn, sends requests to every server in turn, and records both. */
export class Publisher {
  readonly #channels: readonly Channel[];
  readonly #patterns: readonly string[];
  readonly #next: number[];
  readonly #messageClock: Metronome;
  readonly #requestClock: Metronome;
  #publications: OpenMessage[] = [];
  #requests: OpenRequest[] = [];
  #turn = 0;
  #requested = 0;

  constructor(
    private readonly name: string,
    private readonly peer: Peer,
    definition: PeerDefinition,
    { rate, requestRate, servers }: PublisherRole,
  ) {
    this.#channels = trafficPlanFor(definition.kinds).channels;
    this.#next = this.#channels.map(() => 0);
    this.#patterns = definition.requests ? servers.flatMap(requestPatternsOf) : [];
    this.#messageClock = new Metronome(rate, () => this.#publish());
    this.#requestClock = new Metronome(this.#patterns.length > 0 ? requestRate : 0, () => this.#request());
  }

  publish(): void {
    this.#messageClock.start();
    this.#requestClock.start();
  }

  stop(): void {
    this.#messageClock.stop();
    this.#requestClock.stop();
  }

  async rest(): Promise<void> {
    this.stop();
    await until(
      () =>
        this.#publications.every(({ settled }) => settled !== undefined) &&
        this.#requests.every(({ outcome }) => outcome !== undefined),
      SETTLE_TIMEOUT_MS,
    );
  }

  /** Returns the messages and requests since the last report; what has not settled by now is `pending`. */
  report(): Report {
    const now = Date.now();
    const pending: Settled = { ended: now, outcome: 'pending' };
    const publications = this.#publications.map(({ facts, settled = pending }): Publication => ({
      ...facts,
      ...settled,
    }));
    const requests = this.#requests.map(
      ({ id, started, ended = now, outcome = 'pending' }): RequestRecord => ({ id, started, ended, outcome }),
    );
    this.#publications = [];
    this.#requests = [];
    return { ...emptyReport, publications, requests };
  }

  #publish(): void {
    const turn = this.#turn;
    this.#turn = (turn + 1) % this.#channels.length;
    const channel = this.#channels[turn] as Channel;
    const n = this.#next[turn] as number;
    this.#next[turn] = n + 1;
    const open: OpenMessage = {
      facts: { publisher: this.name, channel, n, started: Date.now() },
    };
    this.#publications.push(open);
    void this.peer.publish(channel, `${this.name}:${n}`).then((result) => {
      open.settled = { ended: Date.now(), ...result };
    });
  }

  #request(): void {
    const n = this.#requested++;
    const id = `${this.name}:${n}`;
    const open: OpenRequest = { id, started: Date.now() };
    this.#requests.push(open);
    void this.peer.request?.(this.#patterns[n % this.#patterns.length] as string, id).then((result) => {
      open.ended = Date.now();
      open.outcome = 'code' in result ? result.code : result.answer === `done ${id}` ? 'answered' : 'wrong';
    });
  }
}
