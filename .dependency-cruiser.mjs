/**
 * The house: the folders of src from the ground up, and the folders that each may import (docs/architecture.md).
 * An entry may name folders above it only, so arrows between folders point down by construction; circles of files,
 * type imports included, are refused as well. `npm run lint:arrows` runs it, as part of `npm run lint`.
 */
const engine = [
  'resp',
  'ordering',
  'connection',
  'subscription',
  'topology',
  'publish',
  'delivery',
  'liveness',
]
  .concat(['introspection', 'reconciler', 'health'])
  .map((folder) => `pubsub/${folder}`);

/** What every folder may import. */
const ground = ['util', 'pubsub/common'];

export const arrows = {
  util: [],
  'pubsub/common': [],
  'pubsub/resp': [],
  'pubsub/ordering': [],
  'pubsub/connection': ['pubsub/resp'],
  'pubsub/subscription': ['pubsub/ordering'],
  'pubsub/topology': ['pubsub/connection', 'pubsub/resp'],
  'pubsub/publish': ['pubsub/topology', 'pubsub/connection', 'pubsub/resp', 'pubsub/ordering'],
  'pubsub/delivery': ['pubsub/topology', 'pubsub/subscription', 'pubsub/ordering'],
  'pubsub/liveness': ['pubsub/topology', 'pubsub/connection', 'pubsub/resp'],
  'pubsub/introspection': ['pubsub/topology', 'pubsub/connection', 'pubsub/resp'],
  'pubsub/reconciler': [
    'pubsub/liveness',
    'pubsub/topology',
    'pubsub/subscription',
    'pubsub/connection',
    'pubsub/ordering',
    'pubsub/resp',
  ],
  'pubsub/health': [
    'pubsub/reconciler',
    'pubsub/liveness',
    'pubsub/topology',
    'pubsub/subscription',
    'pubsub/connection',
    'pubsub/resp',
  ],
  'pubsub/engine': engine,
  // The public engine: the façade, its types and diagnostics. Of the folders below `engine` it takes types only.
  pubsub: ['pubsub/engine'],
  'transport/common': ['pubsub/connection'],
  'transport/telemetry': ['transport/common'],
  'transport/wire': ['pubsub/ordering', 'transport/common'],
  'transport/connection': [
    'pubsub',
    'pubsub/connection',
    'transport/wire',
    'transport/telemetry',
    'transport/common',
  ],
  'transport/client': [
    'pubsub',
    'transport/connection',
    'transport/wire',
    'transport/telemetry',
    'transport/common',
  ],
  'transport/server': [
    'pubsub',
    'transport/connection',
    'transport/wire',
    'transport/telemetry',
    'transport/common',
  ],
  transport: ['pubsub', 'transport/client', 'transport/server', 'transport/connection'].concat([
    'transport/telemetry',
    'transport/common',
  ]),
  module: [
    'pubsub',
    'transport',
    'transport/client',
    'transport/server',
    'transport/connection',
    'transport/common',
  ],
  terminus: ['pubsub', 'pubsub/health', 'transport', 'transport/connection', 'transport/common', 'module'],
  metrics: ['pubsub', 'transport', 'transport/client', 'transport/server', 'transport/telemetry'],
  prometheus: ['pubsub', 'transport', 'metrics'],
  opentelemetry: [
    'pubsub',
    'transport',
    'transport/client',
    'transport/server',
    'transport/common',
    'metrics',
  ],
  testing: [],
};

/** Files directly in one of these are a folder of their own; their sub-folders are entries of their own. */
const withSubFolders = ['pubsub', 'transport'];
/** Entries of which a folder may import types from anywhere below it. */
const typesFromBelow = { pubsub: engine };

const declared = [];
for (const [folder, allowed] of Object.entries(arrows)) {
  const unknown = allowed.filter((other) => !declared.includes(other));
  if (unknown.length > 0)
    throw new Error(`${folder} may import only what is declared above it, not ${unknown}.`);
  declared.push(folder);
}

const pathOf = (folder) => (withSubFolders.includes(folder) ? `^src/${folder}/[^/]+$` : `^src/${folder}/`);

const arrowRules = Object.entries(arrows).flatMap(([folder, allowed]) => {
  const below = folder === 'testing' ? [] : ground;
  const own = [folder, ...below, ...allowed].map(pathOf);
  const types = (typesFromBelow[folder] ?? []).map(pathOf);
  const comment = `src/${folder} may import ${[...allowed, ...below].join(', ') || 'no other folder'} only.`;
  const rule = { name: `arrows-of-${folder}`, severity: 'error', comment, from: { path: pathOf(folder) } };
  return [
    { ...rule, to: { path: '^src/', pathNot: [...own, ...types] } },
    ...(types.length === 0
      ? []
      : [
          {
            ...rule,
            name: `${rule.name}-types-only`,
            to: { path: types, dependencyTypesNot: ['type-only'] },
          },
        ]),
  ];
});

const unknownFolder = {
  name: 'no-undeclared-folder',
  severity: 'error',
  comment: 'Declare the folder, and what it may import, in .dependency-cruiser.mjs.',
  from: { path: '^src/', pathNot: ['^src/index\\.ts$', ...declared.map(pathOf)] },
  to: {},
};

const noCircles = {
  name: 'no-circles',
  severity: 'error',
  comment:
    'Two files that import one another, if only for types, do not know which of them is the lower one.',
  from: {},
  to: { circular: true },
};

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [noCircles, unknownFolder, ...arrowRules],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(node_modules|dist)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts'], exportsFields: ['exports'], conditionNames: ['import'] },
  },
};
