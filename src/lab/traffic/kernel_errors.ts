/** What the kernel's UDP dropped before a socket saw it, in this process's network namespace. */
import { readFile } from 'node:fs/promises';

export interface KernelUdpErrors {
  readonly checksum: number;
  readonly buffer: number;
}

/** /proc/net/snmp has a line of names and one of numbers. */
function fromSnmp(text: string): Map<string, number> {
  const [names = '', values = ''] = text.split('\n').filter((line) => line.startsWith('Udp: '));
  const numbers = values.split(' ');
  return new Map(names.split(' ').map((name, i) => [name, Number(numbers[i] ?? 0)]));
}

/** /proc/net/snmp6 has a name and a number on each line. */
function fromSnmp6(text: string): Map<string, number> {
  return new Map(text.split('\n').map((line) => line.split(/\s+/)).map(([name = '', value = '0']) => [name, Number(value)]));
}

/** Since the namespace was made. A kernel without IPv6 has no second file. */
export async function kernelUdpErrors(): Promise<KernelUdpErrors> {
  const v4 = fromSnmp(await readFile('/proc/self/net/snmp', 'utf8'));
  const v6 = fromSnmp6(await readFile('/proc/self/net/snmp6', 'utf8').catch(() => ''));
  const sum = (name: string): number => (v4.get(name) ?? 0) + (v6.get(`Udp6${name}`) ?? 0);
  return { checksum: sum('InCsumErrors'), buffer: sum('RcvbufErrors') + sum('MemErrors') };
}
