import { fingerprint } from '../../util/fingerprint.js';
import type { ClusterConnectionOptions } from '../common/options.js';
import { readStartupNodes } from '../connection/startup-nodes.js';
import { ClusterLink, type LinkLimits, type LinkScope, type LinkParts } from './cluster-link.js';

/** The links of this process that may be shared, by what their scopes have in common. */
const links = new Map<string, ClusterLink>();

/** A scope on a link. */
export interface Attachment extends LinkParts {
  readonly link: ClusterLink;
  /** See {@link ClusterLink.detach}. */
  detach(drained: Promise<boolean>): Promise<void>;
}

/**
 * Attaches a scope to the link of the process to this cluster, or to a new one: scopes share a link if they have the same
 * startup nodes, connection options and limits of connections, unless `shared` is false.
 *
 * @throws {@link InvalidArgumentError} for startup nodes that cannot work
 */
export function attach(source: ClusterConnectionOptions, limits: LinkLimits, scope: LinkScope): Attachment {
  const startupNodes = readStartupNodes(source);
  const key = source.shared === false ? undefined : fingerprint(identityOf(source, limits));
  const link = (key !== undefined ? links.get(key) : undefined) ?? new ClusterLink(startupNodes, limits);
  if (key !== undefined) {
    links.set(key, link);
  }
  return {
    ...link.attach(scope),
    link,
    detach: (drained) => {
      const detached = link.detach(scope, drained);
      if (key !== undefined && link.size === 0) {
        links.delete(key);
      }
      return detached;
    },
  };
}

function identityOf(
  { nodes = [], cluster, clusterOptions }: ClusterConnectionOptions,
  { connectTimeout, commandTimeout, probeInterval, probeTimeout }: LinkLimits,
): unknown {
  const sorted = nodes.map((node) => fingerprint(node)).sort();
  return [sorted, cluster, clusterOptions, connectTimeout, commandTimeout, probeInterval, probeTimeout];
}
