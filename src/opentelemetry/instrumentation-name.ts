/** The instrumentation scope of our meter and tracers. */
export const INSTRUMENTATION = 'nestjs-cluster-pubsub';
