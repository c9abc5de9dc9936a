/** Handlers, serializers and hooks return a promise or not; those that do not are not made to wait. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
