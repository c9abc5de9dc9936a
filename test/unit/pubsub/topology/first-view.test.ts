import { describe, expect, it, jest } from '@jest/globals';
import type { NodeKey } from '../../../../src/pubsub/common/node-address.js';
import { chooseFirstView } from '../../../../src/pubsub/topology/first-view.js';
import type { NodeView } from '../../../../src/pubsub/topology/node-view.js';
import { EMPTY_SLOT_MAP } from '../../../../src/pubsub/topology/slot-map.js';

const TIMEOUT_MS = 20;

describe('chooseFirstView', () => {
  const ours = ['a:1', 'b:1', 'c:1'];
  const views: Record<string, NodeView> = {
    ...Object.fromEntries(ours.map((node) => [node, viewOf(node, ours)])),
    'x:1': viewOf('x:1', ['x:1', 'y:1', 'z:1']),
  };
  const fetch = jest.fn((node: NodeKey) => {
    const view = views[node];
    return view === undefined ? Promise.reject(new Error('refused')) : Promise.resolve(view);
  });
  const choose = async (first: string, startup: readonly string[]) => {
    fetch.mockClear();
    const keys = startup as readonly NodeKey[];
    const { view, foreign } = await chooseFirstView(views[first]!, keys, fetch, TIMEOUT_MS);
    return { node: view.node, foreign: foreign.map(({ node }) => node) };
  };

  it('asks nobody where the first view lists all startup nodes', async () => {
    expect(await choose('a:1', ours)).toEqual({ node: 'a:1', foreign: [] });
    expect(fetch).not.toHaveBeenCalled();
  });

  it('takes the cluster of most startup nodes, whichever replied first', async () => {
    expect(await choose('a:1', [...ours, 'x:1'])).toEqual({ node: 'a:1', foreign: ['x:1'] });
    const chosen = await choose('x:1', ['x:1', ...ours]);
    expect(ours).toContain(chosen.node);
    expect(chosen.foreign).toEqual(['x:1']);
  });

  it('takes the first where there is no majority, or nobody else replies', async () => {
    expect((await choose('x:1', ['x:1', 'a:1'])).node).toBe('x:1');
    expect(await choose('x:1', ['x:1', 'down:1', 'down:2'])).toEqual({ node: 'x:1', foreign: [] });
  });

  it('does not wait for a startup node that does not reply', async () => {
    const hangs = () => new Promise<never>(() => undefined);
    const startup = ['a:1', 'hangs:1'] as NodeKey[];
    const { view } = await chooseFirstView(views['a:1']!, startup, hangs, TIMEOUT_MS);
    expect(view.node).toBe('a:1');
  });
});

/** Each node has its address as its id. */
function viewOf(node: string, masters: readonly string[]): NodeView {
  const keys = masters as readonly NodeKey[];
  const ids = new Map(keys.map((key) => [key, key]));
  return { node: node as NodeKey, slotMap: { ...EMPTY_SLOT_MAP, masters: keys, ids }, works: true, epoch: 1 };
}
