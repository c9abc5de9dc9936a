import type { Publication, RequestRecord } from '../evidence.js';
import { lanesFor, requestPatternsOf } from '../lanes.js';
import type { Channel, Peer, PeerDefinition } from '../peer.js';
import { until } from './until.js';
import { Metronome } from './metronome.js';
import { emptyReport, type PublisherRole, type Report } from './protocol.js';

/** How long after the last publish or request it must have settled, in ms. */
const patience = 12_000;

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

/** Publishes numbered messages on every channel in turn, asks every server in turn, and keeps a record of both. */
export class Publisher {
  readonly #channels: readonly Channel[];
  readonly #patterns: readonly string[];
  readonly #next: number[];
  readonly #messages: Metronome;
  readonly #questions: Metronome;
  #publications: OpenMessage[] = [];
  #requests: OpenRequest[] = [];
  #turn = 0;
  #asked = 0;

  constructor(
    private readonly name: string,
    private readonly peer: Peer,
    definition: PeerDefinition,
    { rate, requestRate, servers }: PublisherRole,
  ) {
    this.#channels = lanesFor(definition.kinds).channels;
    this.#next = this.#channels.map(() => 0);
    this.#patterns = definition.requests ? servers.flatMap(requestPatternsOf) : [];
    this.#messages = new Metronome(rate, () => this.#publish());
    this.#questions = new Metronome(this.#patterns.length > 0 ? requestRate : 0, () => this.#ask());
  }

  publish(): void {
    this.#messages.start();
    this.#questions.start();
  }

  stop(): void {
    this.#messages.stop();
    this.#questions.stop();
  }

  async rest(): Promise<void> {
    this.stop();
    await until(
      () =>
        this.#publications.every(({ settled }) => settled !== undefined) &&
        this.#requests.every(({ outcome }) => outcome !== undefined),
      patience,
    );
  }

  /** What it has published and asked since the last report; what has not settled by now is `pending`. */
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

  #ask(): void {
    const n = this.#asked++;
    const id = `${this.name}:${n}`;
    const open: OpenRequest = { id, started: Date.now() };
    this.#requests.push(open);
    void this.peer.request?.(this.#patterns[n % this.#patterns.length] as string, id).then((result) => {
      open.ended = Date.now();
      open.outcome = 'code' in result ? result.code : result.answer === `done ${id}` ? 'answered' : 'wrong';
    });
  }
}
