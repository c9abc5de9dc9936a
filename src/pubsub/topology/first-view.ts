import { settledWithin } from '../../util/promises.js';
import type { NodeKey } from '../common/node-address.js';
import { isSameCluster } from '../connection/cluster-identity.js';
import type { NodeView } from './node-view.js';

/** The view that decides which cluster is ours, and the views of startup nodes that belong to another. */
export interface FirstView {
  readonly view: NodeView;
  readonly foreign: readonly NodeView[];
}

/**
 * Chooses between the clusters of the startup nodes: one of them may have left for another cluster, and be the first to
 * reply. That of most startup nodes counts, or else that of `first`. Nodes that `first` lists itself need not be asked.
 */
export async function chooseFirstView(
  first: NodeView,
  startupNodes: readonly NodeKey[],
  fetch: (node: NodeKey) => Promise<NodeView>,
  timeout: number,
): Promise<FirstView> {
  const lists = (view: NodeView, node: NodeKey): boolean =>
    view.node === node || view.slotMap.masters.includes(node) || view.slotMap.replicas.includes(node);
  const views = [first];
  const ask = async (node: NodeKey): Promise<void> => {
    views.push(await fetch(node));
  };
  const unlisted = startupNodes.filter((node) => !lists(first, node));
  await settledWithin(timeout, Promise.allSettled(unlisted.map(ask)));
  const agrees = (one: NodeView, other: NodeView): boolean =>
    isSameCluster(one.slotMap.ids, other.slotMap.ids);
  const votes = (view: NodeView): number =>
    startupNodes.filter(
      (node) => lists(view, node) || views.some((other) => other.node === node && agrees(view, other)),
    ).length;
  const view = views.reduce((best, other) => (votes(other) > votes(best) ? other : best));
  return { view, foreign: views.filter((other) => !agrees(view, other)) };
}
