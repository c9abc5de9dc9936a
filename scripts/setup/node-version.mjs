import { SetupError } from './setup-error.mjs';

// 20.19 is the first version that can require() the ES modules Nest 12 is made of.
const [needMajor, needMinor] = [20, 19];

export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > needMajor || (major === needMajor && minor >= needMinor)) return;
  throw new SetupError(
    `Node ${needMajor}.${needMinor} or newer is needed; this is Node ${version} (${process.execPath}).\n` +
      'Install a newer one, for example with `nvm install 20`, and run the command again.',
  );
}
