/** Where the processes of an arm meet. */
export interface Place {
  /** All nodes of the cluster. */
  readonly nodes: readonly Address[];
  /** The one node of it that what knows no cluster connects to. */
  readonly node: Address;
  readonly nats: string;
  /** A free port, for what needs no broker. */
  readonly port: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a server handles. */
export interface Service {
  readonly requests: readonly string[];
  readonly events: readonly string[];
  /** The answer. */
  readonly onRequest: (data: unknown) => unknown;
  readonly onEvent: (data: unknown) => void;
}

export interface ArmClient {
  /** `done` is called once: when the answer is complete, or with what went wrong. */
  request(pattern: string, data: unknown, done: (error?: unknown, answer?: unknown) => void): void;
  /** Fire and forget: who counts the arrivals knows what was lost. */
  emit(pattern: string, data: unknown): void;
  /** How many messages have reached this client, its own and those of others; where that can be told. */
  arrivals?(): number;
  close(): Promise<void>;
}

/**
 * One way to send requests and events. The two ends live in processes of their own, so both start from nothing but a
 * {@link Place}.
 */
export interface Arm {
  /** Resolves when everything is subscribed. */
  serve(place: Place, service: Service): Promise<{ close(): Promise<void> }>;
  connect(place: Place): Promise<ArmClient>;
}
