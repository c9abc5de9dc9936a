import { describe, expect, it } from '@jest/globals';
import { MalformedMessageLog } from '../../../../src/transport/telemetry/malformed-message-log.js';

describe('MalformedMessageLog', () => {
  it('logs a channel once, and counts all', () => {
    const lines: string[] = [];
    const log = new MalformedMessageLog({}, (line) => lines.push(line));
    log.report('orders', 12);
    log.report('orders', 13);
    log.report('users', 14);
    expect(log.count).toBe(3);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('12 bytes');
    expect(lines[0]).toContain('"orders"');
  });

  it('writes one line of limited length, whatever the name of the channel', () => {
    const lines: string[] = [];
    const log = new MalformedMessageLog({}, (line) => lines.push(line));
    log.report('orders\r\n[Nest] ERROR all is lost', 12);
    log.report('x'.repeat(1_000_000), 13);
    log.report(`${'x'.repeat(1_000_000)} and no end`, 14);
    expect(lines).toEqual([
      expect.stringContaining('"orders\\r\\n[Nest] ERROR all is lost"'),
      expect.stringContaining('13 bytes'),
    ]);
    for (const line of lines) {
      expect(line).not.toMatch(/[\r\n]/);
      expect(line.length).toBeLessThan(500);
    }
    expect(log.count).toBe(3);
  });
});
