import type { StartService } from '../service.js';
import { optionsOf, ours } from './package.js';

/** A link with one engine, without Nest. */
export const startEngineAlone: StartService = async (place, name) => {
  const { ClusterPubSub } = await ours();
  const engine = new ClusterPubSub(optionsOf(place, name)).on('error', () => undefined);
  await engine.subscribe({ [`${name}:engine`]: () => undefined });
  const request = (): Promise<number> => engine.publish(`${name}:engine`, name);
  return { request, use: request, close: () => engine.close() };
};
