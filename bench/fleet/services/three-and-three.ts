import type { Type } from '@nestjs/common';
import type { ClientProxy } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { controllerOf } from '../../arms/nest-app.js';

const places = [0, 1, 2];

/** The patterns of a service: three for requests, three for events. */
export interface Patterns {
  readonly requests: readonly string[];
  readonly events: readonly string[];
}

export function patternsOf(start = ''): Patterns {
  return {
    requests: places.map((place) => `${start}request.${place}`),
    events: places.map((place) => `${start}event.${place}`),
  };
}

/** Sends a request to each of three handlers, and an event to each of the others. */
export async function useAll(
  client: Pick<ClientProxy, 'send' | 'emit'>,
  { requests, events }: Patterns,
  data: string,
): Promise<void> {
  await Promise.all(requests.map((pattern) => lastValueFrom(client.send(pattern, data))));
  await Promise.all(
    events.map((event) => lastValueFrom(client.emit(event, data), { defaultValue: undefined })),
  );
}

/** A controller with a handler for each pattern. */
export function handlersOf(patterns: Patterns): Type {
  return controllerOf({ ...patterns, onRequest: (data) => data, onEvent: () => undefined });
}
