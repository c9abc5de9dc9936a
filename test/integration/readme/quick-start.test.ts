import { afterEach, describe, expect, it } from '@jest/globals';
import { blockAfter } from '../../support/documents.js';
import { freePort } from '../../support/free-port.js';
import { sharedCluster } from '../../support/shared-cluster.js';
import { UserProgram } from '../../support/user-program.js';
import { eventually } from '../../support/waiting.js';

let program: UserProgram | undefined;
afterEach(() => program?.remove());

describe("the README's quick start", () => {
  it('serves, calls, receives the event, and ends on SIGTERM', async () => {
    const port = await freePort();
    program = new UserProgram(quickStart(port));
    await program.printed('Nest application successfully started');

    // Nest says so before it listens.
    let response: Response | undefined;
    await eventually(async () => {
      response = await fetch(`http://127.0.0.1:${port}/sum`).catch(() => undefined);
      return response !== undefined;
    }, 'it listens');
    expect([response?.status, await response?.text()]).toEqual([200, '6']);
    await program.printed('event { at: ');

    program.signal('SIGTERM');
    // Nest ends a process by the signal that it got, once everything is closed.
    expect(await program.end()).toBe('SIGTERM');
    expect(program.stderr).toBe('');
  });
});

/** The block with two ports and a prefix of our own. */
function quickStart(httpPort: number): string {
  const [node] = sharedCluster() as [{ port: number }];
  const edits = [
    ['port: 7000', `port: ${node.port}`],
    ["'quickstart:'", `'quickstart-${httpPort}:'`],
    ['app.listen(3000)', `app.listen(${httpPort})`],
  ] as const;
  let code = blockAfter('README.md', 'quick-start');
  for (const [from, to] of edits) {
    expect(code.split(from)).toHaveLength(2);
    code = code.replace(from, to);
  }
  return code;
}
