/** Jest's globalTeardown of the integration project. */
export default async function stopSharedCluster() {
  await globalThis.sharedClusterOfTheRun?.stop();
}
