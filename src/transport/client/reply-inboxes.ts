import type { Gap, Interruption } from '../../pubsub/common/events.js';
import type { DataMessage } from '../../pubsub/common/messages.js';
import { concernsStream } from '../../pubsub/common/gap-batcher.js';
import { GenerationalCache } from '../../util/generational-cache.js';
import type { TransportEngine } from '../connection/create-engine.js';
import type { ChannelNames } from '../wire/channel-names.js';
import { FRAME_STAMP_CODEC } from '../wire/frame.js';
import { FrameTrailer } from '../wire/frame-trailer.js';

/** Enough to find a hash tag for a master that owns a handful of slots. */
const MAX_TAGS_TRIED = 65_536;

/** Bounds the cache, because patterns may differ with each request (`user.17`). */
const MAX_CACHED_CHANNELS = 2_048;

/** For this long a server may show that a gap in its numbers is not true. */
const SEQUENCE_GAP_DELAY_MS = 500;

/** A frame ends with its stamp, which is not longer than this. */
const STAMP_WITHIN_BYTES = 128;

/** Servers that are remembered per inbox. */
const MAX_SERVERS = 4_096;

/**
 * A channel of this client alone, on which it receives replies:
 *
 * - `subscribing`: Redis has not confirmed it yet; requests wait.
 * - `active`: replies arrive.
 * - `interrupted`: its connection was lost; requests wait until it is active again.
 * - `refused`: Redis has rejected the subscription; the next request tries another inbox.
 */
export class ReplyInbox {
  state: 'subscribing' | 'active' | 'interrupted' | 'refused' = 'subscribing';
  /** Why Redis rejected it. */
  error: unknown;
  /** The streams that have brought a reply to a request. */
  readonly #servers = new Set<string>();
  /** The stream of the latest one, as it is written. */
  #latestServer: Buffer | undefined;

  constructor(
    readonly name: string,
    /** The end of each request frame whose reply is to arrive here. */
    readonly trailer: FrameTrailer,
  ) {}

  /** Remembers the server that has sent a reply which a request waited for. */
  noteReply(data: Buffer): void {
    // Most replies come from the server that sent the last one, and decoding the stamp again costs more than looking for it.
    if (this.#latestServer !== undefined && data.includes(this.#latestServer, -STAMP_WITHIN_BYTES)) {
      return;
    }
    const stream = FRAME_STAMP_CODEC.decode(data)?.stream;
    if (stream === undefined) {
      return;
    }
    if (this.#servers.size >= MAX_SERVERS) {
      this.#servers.clear();
    }
    this.#latestServer = Buffer.from(stream);
    this.#servers.add(stream);
  }

  /** Whether replies may be missing. Anybody can publish numbers here: those of a stranger say nothing. */
  isConcernedBy(gap: Gap): boolean {
    return gap.reason !== 'sequence' || concernsStream(gap, (stream) => this.#servers.has(stream));
  }
}

export interface ReplyInboxListener {
  replyReceived(message: DataMessage<'buffer'>, inbox: ReplyInbox): void;
  /** The inbox is active, for the first time or again. */
  inboxActive(inbox: ReplyInbox): void;
  inboxRefused(inbox: ReplyInbox): void;
  /** Replies may have been missed since the inbox was last active. */
  inboxInterrupted(inbox: ReplyInbox): void;
}

/**
 * The reply inboxes of one client: one for each master it sends requests to, subscribed on first use, so that a request
 * and its reply stay in one shard.
 *
 * @internal
 */
export class ReplyInboxes {
  readonly #byNode = new Map<string, ReplyInbox>();
  readonly #byName = new Map<string, ReplyInbox>();
  /** The results of {@link for}, until slots move. */
  readonly #byChannel = new GenerationalCache<ReplyInbox>(MAX_CACHED_CHANNELS);

  constructor(
    private readonly engine: TransportEngine,
    private readonly names: ChannelNames,
    private readonly clientId: string,
    /** True if frames carry a stamp. */
    private readonly sequence: boolean,
    private readonly listener: ReplyInboxListener,
  ) {
    // An inbox may no longer be in the shard it was made for. It stays subscribed.
    engine.on('moved', () => this.#clearCaches());
    engine.on('interrupted', (interruption) => this.#onInterrupted(interruption));
    engine.on('gap', (gap) => this.#onGap(gap));
  }

  /** The inbox in the shard of `channel`. */
  for(channel: string): ReplyInbox {
    return this.#byChannel.get(channel) ?? this.#find(channel);
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

  #clearCaches(): void {
    this.#byNode.clear();
    this.#byChannel.clear();
  }

  /** A name whose slot the node owns. Without a match any name will do: the reply then crosses shards. */
  #nameAt(node: string): string {
    const anyName = this.names.inbox(this.clientId, '0');
    if (node === '') {
      return anyName; // the slot has no owner, so no tag would match
    }
    for (const name of this.#byName.keys()) {
      if (this.engine.nodeOf(name) === node) {
        return name;
      }
    }
    for (let tag = 0; tag < MAX_TAGS_TRIED; tag++) {
      const name = this.names.inbox(this.clientId, String(tag));
      if (this.engine.nodeOf(name) === node) {
        return name;
      }
    }
    return anyName;
  }

  #subscribe(name: string): ReplyInbox {
    const { supportsSharded } = this.engine;
    const fields = supportsSharded ? { r: name } : ({ r: name, c: 1 } as const);
    const inbox = new ReplyInbox(name, new FrameTrailer(fields, this.sequence));
    this.#byName.set(name, inbox);
    const handlers = {
      [name]: (message: DataMessage<'buffer'>): void => this.listener.replyReceived(message, inbox),
    };
    const confirmed = supportsSharded ? this.engine.ssubscribe(handlers) : this.engine.subscribe(handlers);
    confirmed.then(
      () => this.#activate(inbox),
      (error: unknown) => {
        inbox.state = 'refused';
        inbox.error = error;
        this.#byName.delete(name);
        this.#clearCaches();
        this.listener.inboxRefused(inbox);
      },
    );
    return inbox;
  }

  #activate(inbox: ReplyInbox): void {
    inbox.state = 'active';
    this.listener.inboxActive(inbox);
  }

  #onInterrupted(interruption: Interruption): void {
    for (const inbox of this.#inboxesOf(interruption)) {
      if (inbox.state === 'active') {
        inbox.state = 'interrupted';
        this.listener.inboxInterrupted(inbox);
      }
    }
  }

  #onGap(gap: Gap): void {
    if (gap.reason === 'sequence') {
      // The number may be forged: then the messages that it skips arrive.
      setTimeout(() => setImmediate(() => this.#applyGap(gap)), SEQUENCE_GAP_DELAY_MS).unref();
    } else {
      this.#applyGap(gap);
    }
  }

  #applyGap(gap: Gap): void {
    for (const inbox of this.#inboxesOf(gap)) {
      if (!inbox.isConcernedBy(gap)) {
        continue;
      }
      // A gap without an interruption before it was noticed only after the connection was back.
      if (inbox.state === 'active') {
        this.listener.inboxInterrupted(inbox);
      }
      if (inbox.state === 'interrupted' || inbox.state === 'active') {
        this.#activate(inbox);
      }
    }
  }

  #inboxesOf({ kind, names }: Interruption): ReplyInbox[] {
    return kind === 'pattern' ? [] : names.flatMap((name) => this.#byName.get(String(name)) ?? []);
  }
}
