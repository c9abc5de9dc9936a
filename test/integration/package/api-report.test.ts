import { execFileSync } from 'node:child_process';
import { it } from '@jest/globals';

it('the public API is the one in api/: who means to change it runs npm run api:report', () => {
  // Its message says what differs; Jest shows it with the error.
  execFileSync(process.execPath, ['scripts/api-report.mjs', '--check'], { encoding: 'utf8', stdio: 'pipe' });
}, 120_000);
