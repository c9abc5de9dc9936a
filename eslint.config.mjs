import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Paths of Nest that are not API: they have moved between 11 and 12, and will again. */
const nestInternals = {
  regex: '^@nestjs/(common/utils(/|$)|[^/]+/(.*/)?internal(/|$))',
  message: 'Internal to Nest, and not the same in Nest 11 and 12: write our own.',
};

/** The arrows between the folders of src, and circles of files, are checked by `npm run lint:arrows`. */
const withoutNest = {
  files: ['src/util/**/*.ts', 'src/pubsub/**/*.ts', 'src/testing/**/*.ts'],
  rules: {
    'no-restricted-imports': [
      'error',
      { patterns: [nestInternals, { regex: '^@nestjs/', message: 'The engine does not know Nest.' }] },
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
  withoutNest,
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
