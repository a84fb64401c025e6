/** A guest with Linux that libvirt runs: its XML, and a shell in it. It is the lab's own guest (src/lab/qemu), of other arguments. */
import { guestCommandLine } from '../../src/lab/qemu/command_line.js';
import { KERNEL_WORDS } from '../../src/lab/qemu/arguments.js';
import { guestImage } from '../../src/lab/qemu/image.js';
import { findKernel, unpackedKernel } from '../../src/lab/qemu/kernel.js';
import { SerialShell, type ShellOptions, type ShellResult } from '../../src/lab/qemu/serial_shell.js';
import { type BedGuest, PORTS } from '../qemu/bed.js';
import { type LibvirtHost, slotsAndNic } from './bed.js';

const BOOT_MS = 90_000;

/** @returns the domain's XML: a q35, one virtio NIC on br0 (alias ua-net0, tap "t-NAME") that stands by, two free hot-plug slots */
export async function guestXml(spec: BedGuest): Promise<string> {
  const kernel = findKernel();
  if (kernel === null) throw new Error('there is no kernel for guests');
  const { name, mac } = spec;
  const words = guestCommandLine({
    ip: `${spec.ip}/24`,
    ip6: `${spec.ip6}/64`,
    services: {
      echo: ['reflector', 'echo', 'udp', String(PORTS.echo), '--echo-every', '1'],
      sink: ['reflector', 'sink', 'udp', String(PORTS.sink)],
      tcp: ['reflector', 'tcp', 'tcp', String(PORTS.tcp), '--rate', '50000'],
    },
  });
  return `<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${await unpackedKernel(kernel)}</kernel>
    <initrd>${await guestImage('base', kernel)}</initrd>
    <cmdline>${KERNEL_WORDS} unipath.name=${name} ${words}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <on_poweroff>destroy</on_poweroff>
  <on_crash>destroy</on_crash>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
${slotsAndNic(mac, `t-${name}`, spec.failover)}    <serial type='file'><source path='/run/${name}.console'/><target port='0'/></serial>
    <serial type='unix'><source mode='bind' path='/run/${name}.serial'/><target port='1'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
`;
}

/** A running guest, on the host where it is now. */
export class LibvirtGuest {
  readonly spec: BedGuest;
  readonly #host: LibvirtHost;
  #shell: Promise<SerialShell> | null = null;

  constructor(spec: BedGuest, host: LibvirtHost) {
    this.spec = spec;
    this.#host = host;
  }

  /** What Traffic asks. */
  get qemu(): { shell(command: string, options?: ShellOptions): Promise<ShellResult> } {
    return { shell: async (command, options) => (await this.#connect()).run(command, options) };
  }

  /** Resolves when it has booted. */
  async ready(): Promise<void> {
    await (await this.#connect()).ready(BOOT_MS);
  }

  async run(command: string): Promise<string> {
    const { status, output } = await this.qemu.shell(command, { deadlineMs: 20_000 });
    if (status !== 0) throw new Error(`guest ${this.spec.name}: \`${command}\` failed with exit code ${status}: ${output.trim()}`);
    return output;
  }

  /** What its kernel has said to this host's QEMU. */
  console(): Promise<string> {
    return this.#host.inside('cat', `/run/${this.spec.name}.console`);
  }

  async close(): Promise<void> {
    (await this.#shell?.catch(() => null))?.close();
    this.#shell = null;
  }

  #connect(): Promise<SerialShell> {
    this.#shell ??= SerialShell.connect(`guest ${this.spec.name}`, this.#host.reach(`/run/${this.spec.name}.serial`));
    return this.#shell;
  }
}
