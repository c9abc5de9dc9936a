import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** The folders of src, and which of the others each may import. Arrows point down only (docs/architecture.md). */
const arrows = {
  pubsub: [],
  testing: [],
  transport: ['pubsub'],
  module: ['transport', 'pubsub'],
  terminus: ['module', 'transport', 'pubsub'],
  observe: ['transport', 'pubsub'],
  prometheus: ['observe', 'transport', 'pubsub'],
  opentelemetry: ['observe', 'transport', 'pubsub'],
};

/** Paths of Nest that are not API: they have moved between 11 and 12, and will again. */
const nestInternals = {
  regex: '^@nestjs/(common/utils(/|$)|[^/]+/(.*/)?internal(/|$))',
  message: 'Internal to Nest, and not the same in Nest 11 and 12: write our own.',
};

const folderRules = Object.entries(arrows).map(([folder, allowed]) => {
  const forbidden = Object.keys(arrows).filter((other) => other !== folder && !allowed.includes(other));
  const patterns = [
    nestInternals,
    {
      regex: `^(\\.\\./)+(${forbidden.join('|')})(/|$)`,
      message: `src/${folder} may import ${allowed.join(', ') || 'no other folder of src'} only.`,
    },
  ];
  if (folder === 'pubsub' || folder === 'testing') {
    patterns.push({ regex: '^@nestjs/', message: `src/${folder} knows nothing of Nest.` });
  }
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  };
});

/** The entry point of the package imports the folders, never the other way round. */
const noWayUp = {
  files: ['src/*/*.ts'],
  rules: {
    'no-restricted-syntax': [
      'error',
      {
        selector: 'ImportDeclaration[source.value="../index.js"]',
        message: 'Import the file that exports it, not the entry point of the package.',
      },
    ],
  },
};

export default defineConfig(
  globalIgnores(['**/dist', 'dist.*', 'coverage', 'test/package']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-restricted-imports': ['error', { patterns: [nestInternals] }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Modules and controllers are often empty classes that carry a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      // `_` marks what a signature forces on us.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      // Nest declares several of its options as classes, to be given as plain objects.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      // An async function without await is how an interface that promises a Promise is kept.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  ...folderRules,
  noWayUp,
  {
    files: ['test/**/*.ts', 'sample-app/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      // The rule does not see that <string> chooses another overload of Nest 12's @EventPattern.
      '@typescript-eslint/no-unnecessary-type-arguments': 'off',
      // Bodies of HTTP answers and of foreign packets arrive as any.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      // Nest declares some of its options as classes and takes object literals for them.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: {
        AbortController: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        clearInterval: 'readonly',
        clearTimeout: 'readonly',
        console: 'readonly',
        fetch: 'readonly',
        process: 'readonly',
        performance: 'readonly',
        setInterval: 'readonly',
        setTimeout: 'readonly',
      },
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: { module: 'writable', require: 'readonly', __dirname: 'readonly' },
    },
  },
);
