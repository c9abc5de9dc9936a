import { findTaggedName } from '../../pubsub/common/channel-name.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import type { DataMessage } from '../../pubsub/common/messages.js';
import type { Gap, Interruption } from '../../pubsub/common/events.js';
import type { ChannelNames } from '../wire/channel-names.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { PendingRequest } from './pending-request.js';
import type { InboxWaitQueue } from './inbox-wait-queue.js';
import { FrameTrailer } from '../wire/frame.js';
import type { WireFields } from '../wire/frame-fields.js';

/** Enough to meet a master that owns a handful of slots; without a match any inbox does, at the cost of a hop. */
const TAGS_TRIED = 65_536;

/** Patterns that are made with each request (`user.17`) are not to be remembered without end. */
const CHANNELS_REMEMBERED = 2_048;

/**
 * One reply inbox: a channel of this client alone.
 *
 * - `subscribing`: Redis has not confirmed it yet; requests wait.
 * - `standing`: replies arrive.
 * - `interrupted`: its connection was lost; requests wait until it stands again.
 * - `refused`: Redis would not have it; the next request tries another one.
 */
export class ReplyInbox {
  state: 'subscribing' | 'standing' | 'interrupted' | 'refused' = 'subscribing';
  /** Requests that failed when the inbox was lost, and whose handlers are to be told when it stands again. */
  orphans: PendingRequest[] = [];
  /** Why it was refused. */
  error: unknown;

  constructor(
    readonly name: string,
    /** What the frames of requests that are to be answered here end with. */
    readonly end: FrameTrailer,
    /** Requests to be published when the inbox stands. */
    readonly waiting: InboxWaitQueue,
  ) {}
}

/** What the owner of the inboxes does about them. */
export interface ReplyInboxListener {
  newInboxWaitQueue(inbox: string): InboxWaitQueue;
  received(message: DataMessage<'buffer'>, inbox: ReplyInbox): void;
  /** The inbox stands, for the first time or again. */
  active(inbox: ReplyInbox): void;
  refused(inbox: ReplyInbox): void;
  /** Replies may have been missed since the inbox was subscribed, or since it last stood. */
  interrupted(inbox: ReplyInbox): void;
}

/**
 * The reply inboxes of one client: one for each master it talks to, subscribed on first use, so that a request and its
 * reply touch one shard.
 *
 * @internal
 */
export class ReplyInboxes {
  readonly #byNode = new Map<string, ReplyInbox>();
  readonly #byName = new Map<string, ReplyInbox>();
  /** What {@link for} has found, until slots move. */
  readonly #byChannel = new GenerationalCache<ReplyInbox>(CHANNELS_REMEMBERED);

  constructor(
    private readonly engine: TransportEngine,
    private readonly names: ChannelNames,
    private readonly clientId: string,
    /** Whether frames carry a stamp. */
    private readonly sequence: boolean,
    private readonly owner: ReplyInboxListener,
  ) {
    // Slots have moved, so that an inbox may no longer sit with the master it was made for. It stays subscribed.
    engine.on('moved', () => this.#forgetPlaces());
    engine.on('interrupted', (loss) => this.#onLost(loss));
    engine.on('gap', (gap) => this.#onGap(gap));
  }

  /** The inbox in the shard of `channel`. */
  for(channel: string): ReplyInbox {
    return this.#byChannel.get(channel) ?? this.#find(channel);
  }

  /** How many requests wait for an inbox. */
  get waitingCount(): number {
    return [...this.#byName.values()].reduce((sum, { waiting }) => sum + waiting.size, 0);
  }

  #find(channel: string): ReplyInbox {
    const node = this.engine.nodeOf(channel) ?? '';
    let inbox = this.#byNode.get(node);
    if (inbox === undefined) {
      const name = this.#nameAt(node);
      inbox = this.#byName.get(name) ?? this.#subscribe(name);
      this.#byNode.set(node, inbox);
    }
    if (node !== '') {
      this.#byChannel.add(channel, inbox);
    }
    return inbox;
  }

  #forgetPlaces(): void {
    this.#byNode.clear();
    this.#byChannel.clear();
  }

  #nameAt(node: string): string {
    if (node === '') {
      return this.names.inbox(this.clientId, '0'); // nobody owns the slot just now: no tag would meet it
    }
    for (const name of this.#byName.keys()) {
      if (this.engine.nodeOf(name) === node) {
        return name;
      }
    }
    const inboxOf = (tag: string): string => this.names.inbox(this.clientId, tag);
    return findTaggedName(inboxOf, (name) => this.engine.nodeOf(name) === node, TAGS_TRIED) ?? inboxOf('0');
  }

  #subscribe(name: string): ReplyInbox {
    const fields: WireFields = this.engine.supportsSharded ? { r: name } : { r: name, c: 1 };
    const inbox = new ReplyInbox(
      name,
      new FrameTrailer(fields, this.sequence),
      this.owner.newInboxWaitQueue(name),
    );
    this.#byName.set(name, inbox);
    const handlers = {
      [name]: (message: DataMessage<'buffer'>): void => this.owner.received(message, inbox),
    };
    const confirmed = this.engine.supportsSharded
      ? this.engine.ssubscribe(handlers)
      : this.engine.subscribe(handlers);
    confirmed.then(
      () => this.#stands(inbox),
      (error: unknown) => {
        inbox.state = 'refused';
        inbox.error = error;
        this.#byName.delete(name);
        this.#forgetPlaces();
        this.owner.refused(inbox);
      },
    );
    return inbox;
  }

  #stands(inbox: ReplyInbox): void {
    inbox.state = 'standing';
    this.owner.active(inbox);
  }

  #onLost(loss: Interruption): void {
    for (const inbox of this.#named(loss)) {
      if (inbox.state === 'standing') {
        inbox.state = 'interrupted';
        this.owner.interrupted(inbox);
      }
    }
  }

  #onGap(gap: Gap): void {
    for (const inbox of this.#named(gap)) {
      // A gap without a loss before it: the hole was seen afterwards only.
      if (inbox.state === 'standing') {
        this.owner.interrupted(inbox);
      }
      if (inbox.state === 'interrupted' || inbox.state === 'standing') {
        this.#stands(inbox);
      }
    }
  }

  #named({ kind, names }: Interruption): ReplyInbox[] {
    if (kind === 'pattern') {
      return [];
    }
    return names.flatMap((name) => this.#byName.get(String(name)) ?? []);
  }
}
