/** Commands of iproute2 and ethtool in a namespace. Not those of test/support: a scenario is no test. */
import { execFileSync } from 'node:child_process';

function call(file: string, args: readonly string[]): string {
  // What it says beside an answer is not ours to say; with an error it is in the error.
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** One `ip` command, given as one would type it. Returns its stdout. */
export function ip(netns: string, command: string): string {
  return call('ip', ['-n', netns, ...command.split(' ')]);
}

export function bridge(netns: string, command: string): string {
  return call('bridge', ['-n', netns, ...command.split(' ')]);
}

/** As `ethtool -K`. What a device cannot, is left out without a word. */
export function setFeatures(netns: string, device: string, ...features: string[]): void {
  call('nsenter', [`--net=/run/netns/${netns}`, 'ethtool', '-K', device, ...features]);
}
