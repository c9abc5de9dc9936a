/** The addresses at which the processes of an arm meet. */
export interface Place {
  /** All nodes of the cluster. */
  readonly nodes: readonly Address[];
  /** The one node that transports without cluster support connect to. */
  readonly node: Address;
  readonly nats: string;
  /** A free port, for transports without a broker. */
  readonly port: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The patterns that a server handles. */
export interface Service {
  readonly requests: readonly string[];
  readonly events: readonly string[];
  /** The answer. */
  readonly onRequest: (data: unknown) => unknown;
  readonly onEvent: (data: unknown) => void;
}

export interface ArmClient {
  /** `done` is called once: when the answer is complete, or with the error. */
  request(pattern: string, data: unknown, done: (error?: unknown, answer?: unknown) => void): void;
  /** Fire and forget: losses show in the count of arrivals. */
  emit(pattern: string, data: unknown): void;
  /** Messages that reached this client, its own and those of others; undefined where that cannot be counted. */
  arrivals?(): number;
  close(): Promise<void>;
}

/**
 * One way to send requests and events. Each end runs in a process of its own and starts from a {@link Place} only.
 */
export interface Arm {
  /** Resolves when everything is subscribed. */
  serve(place: Place, service: Service): Promise<{ close(): Promise<void> }>;
  connect(place: Place): Promise<ArmClient>;
}
