export * from './module/index.js';
export * from './pubsub/index.js';
export * from './transport/index.js';
