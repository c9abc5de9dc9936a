import type { Type } from '@nestjs/common';
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

/** A controller with a handler for each pattern. */
export function handlersOf(patterns: Patterns): Type {
  return controllerOf({ ...patterns, onRequest: (data) => data, onEvent: () => undefined });
}
