/** Can this guest use a VF, and if not, what has to be done? Pure. */
import { type Finding, finding } from '../../core/finding.js';
import type { GuestFacts, Manager, NicFacts, PluginFacts } from './facts.js';

export interface Verdict {
  /** How each virtio NIC uses a VF; null: not at all. */
  readonly interfaces: readonly { readonly name: string; readonly mode: 'net_failover' | 'plugin' | null; readonly vf: string | null }[];
  readonly findings: readonly Finding[];
}

/** virtio_net negotiates STANDBY since 4.18; bpf_check_mtu, which the plug-in uses, came with 5.12. */
const OLDEST = { net_failover: [4, 18], plugin: [5, 12] } as const;
const INSTALL_RULE = 'install the guest kit (install.sh), then replug the VF or restart';

function isAtLeast(release: string, [major, minor]: readonly [number, number]): boolean {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

/** One virtio NIC, and what stands on it or beside it. */
interface Group {
  /** With the addresses. */
  readonly main: NicFacts;
  /** net_failover's; null in plug-in mode. */
  readonly standby: NicFacts | null;
  /** Devices of others under the same MAC address. */
  readonly vfs: readonly NicFacts[];
}

export function groupsOf(nics: readonly NicFacts[]): Group[] {
  const virtio = nics.filter(({ bus }) => bus === 'virtio');
  const isStandby = (nic: NicFacts): boolean => nic.portName === 'sby' && virtio.some((other) => other.name === nic.master);
  return virtio
    .filter((nic) => !isStandby(nic))
    .map((main) => ({
      main,
      standby: virtio.find((nic) => nic.master === main.name && isStandby(nic)) ?? null,
      vfs: nics.filter((nic) => nic.bus !== 'virtio' && nic.mac === main.mac && (nic.kind === null || nic.kind === 'veth')),
    }));
}

export function judge(facts: GuestFacts): Verdict {
  const groups = groupsOf(facts.nics);
  const modes = groups.map((group) => modeOf(group, facts));
  const findings = [
    ...judgeKernel(facts, new Set(modes)),
    judgeHotplug(facts),
    ...groups.flatMap((group, index) => {
      const mode = modes[index] ?? null;
      return mode === 'net_failover' ? judgeFailover(group, facts) : judgePlugin(group, facts, mode);
    }),
    ...judgeStrangers(facts, groups),
    ...judgeManagers(facts, groups),
    ...facts.unknown.map((what) => finding('warn', 'check', `could not be found out: ${what}`)),
  ];
  if (groups.length === 0) {
    findings.push(finding('problem', 'interfaces', 'there is no virtio NIC', 'give the machine a virtio-net-pci NIC: it is the path that works without a VF'));
  }
  const interfaces = groups.map((group, index) => ({ name: group.main.name, mode: modes[index] ?? null, vf: vfInUse(group, facts)?.name ?? null }));
  return { interfaces, findings };
}

function pluginOf({ main }: Group, facts: GuestFacts): PluginFacts | null {
  return facts.plugins.find(({ interfaceIfindex }) => interfaceIfindex === main.ifindex) ?? null;
}

function modeOf(group: Group, facts: GuestFacts): 'net_failover' | 'plugin' | null {
  if (group.main.standbyNegotiated === true) return 'net_failover';
  return pluginOf(group, facts) !== null || group.main.programs.length > 0 ? 'plugin' : null;
}

/** The VF by which frames go now. */
function vfInUse(group: Group, facts: GuestFacts): NicFacts | null {
  const registered = pluginOf(group, facts)?.vfIfindex;
  return group.vfs.find((vf) => vf.up && vf.link && (vf.master === group.main.name || vf.ifindex === registered)) ?? null;
}

function judgeKernel(facts: GuestFacts, modes: ReadonlySet<'net_failover' | 'plugin' | null>): Finding[] {
  const { kernel } = facts;
  const said = (text: string): Finding[] => [finding('ok', 'kernel', `Linux ${kernel} ${text}`)];
  const old = (what: string, [major, minor]: readonly [number, number]): Finding[] => [
    finding('problem', 'kernel', `Linux ${kernel} is too old for ${what}`, `boot Linux ${major}.${minor} or newer`),
  ];
  if (modes.has('plugin')) {
    if (!isAtLeast(kernel, OLDEST.plugin)) return old('the plug-in', OLDEST.plugin);
    if (!facts.btf) return [finding('problem', 'kernel', `Linux ${kernel} has no BTF, which the plug-in needs`, 'boot a kernel built with CONFIG_DEBUG_INFO_BTF=y')];
    if (!facts.bpffs) return [finding('problem', 'kernel', 'there is no bpf file system at /sys/fs/bpf', 'run: mount -t bpf bpf /sys/fs/bpf')];
    return said('has all that the plug-in needs');
  }
  if (!isAtLeast(kernel, OLDEST.net_failover)) return old('net_failover', OLDEST.net_failover);
  if (facts.netFailover) return said('has net_failover');
  return [finding(modes.has('net_failover') ? 'problem' : 'warn', 'kernel', `Linux ${kernel} has no net_failover`, 'install the modules of this kernel, or use the plug-in')];
}

function judgeHotplug({ hotplug: { pciehpPorts, acpiSlots } }: GuestFacts): Finding {
  if (pciehpPorts + acpiSlots > 0) {
    const words = [pciehpPorts > 0 ? `${pciehpPorts} by pciehp` : '', acpiSlots > 0 ? `${acpiSlots} by acpiphp` : ''].filter((word) => word !== '');
    return finding('ok', 'hot-plug', `slots that take devices while the guest runs: ${words.join(', ')}`);
  }
  return finding(
    'problem', 'hot-plug', 'no slot takes a device while the guest runs',
    'the machine needs a PCIe port (-device pcie-root-port), the kernel CONFIG_HOTPLUG_PCI_PCIE or CONFIG_HOTPLUG_PCI_ACPI',
  );
}

function judgeFailover(group: Group, facts: GuestFacts): Finding[] {
  const { main, standby, vfs } = group;
  const { name } = main;
  const findings: Finding[] = [];
  if (standby === null) {
    const remedy = 'load the module net_failover, then unbind and bind the virtio device, or restart';
    return [finding('problem', name, 'failover was negotiated, and no standby is enslaved: this kernel has not made the pair', remedy)];
  }
  findings.push(finding('ok', name, `failover is negotiated; ${name} is the master, ${standby.name} the standby`));
  findings.push(...judgeInterface(main));
  if (!standby.up || !standby.link) {
    const remedy = standby.up ? 'look at its tap on the host' : `run: ip link set dev ${standby.name} up`;
    findings.push(finding('problem', standby.name, standby.up ? 'the standby has no link' : 'the standby is down: nothing is left when the VF goes', remedy));
  }
  findings.push(...noAddresses(standby, 'standby'));
  const primaries = vfs.filter((vf) => vf.master === name);
  for (const vf of primaries) findings.push(...judgeVf(vf, `primary of ${name}`), ...noAddresses(vf, 'primary'));
  for (const vf of vfs.filter((other) => other.master !== name)) {
    const why = vf.master === null ? 'is nobody\'s slave' : `is a slave of ${vf.master}`;
    const remedy = `net_failover takes a PCI device that is its own master: free it (ip link set dev ${vf.name} nomaster), set it down and unplug it`;
    findings.push(finding('problem', vf.name, `it has the MAC address of ${name}, but ${why}`, remedy));
  }
  if (vfs.length === 0) findings.push(finding('ok', name, `no VF now; frames go by ${standby.name}`));
  if (main.programs.length > 0 || facts.agents.includes(name)) {
    const remedy = `net_failover does it all; run: systemctl disable --now unipath-guest@${name}`;
    findings.push(finding('warn', name, 'the plug-in is here too, and will never see a VF', remedy));
  }
  return findings;
}

function judgePlugin(group: Group, facts: GuestFacts, mode: 'plugin' | null): Finding[] {
  const { main, vfs } = group;
  const { name } = main;
  if (mode === null) {
    const remedy = `start the plug-in (systemctl enable --now unipath-guest@${name}), or have the host give the NIC failover=on`;
    const what = main.standbyNegotiated === null ? '' : 'failover is not negotiated, ';
    return [finding('problem', name, `${what}and the plug-in is not loaded: no VF can be used`.replace(/^and /, ''), remedy), ...vfs.flatMap((vf) => noAddresses(vf, 'VF'))];
  }
  const findings: Finding[] = [];
  const plugin = pluginOf(group, facts);
  const restart = `run: systemctl restart unipath-guest@${name}`;
  const missing = ['plugin_ingress', 'plugin_egress'].filter((program) => !main.programs.includes(program));
  if (missing.length > 0) findings.push(finding('problem', name, `the plug-in's ${missing.join(' and ')} is not attached`, restart));
  else if (plugin === null) findings.push(finding('problem', name, 'the plug-in is attached, and its map is not pinned: nobody can tell it of a VF', restart));
  else if (plugin.mac !== main.mac) findings.push(finding('problem', name, `the plug-in answers as ${plugin.mac}, and the interface is ${main.mac}`, restart));
  else findings.push(finding('ok', name, `the plug-in is attached and answers the host as ${main.mac}`));
  if (!facts.agents.includes(name)) findings.push(finding('problem', name, 'its agent does not run: a VF that comes is not taken', `run: systemctl enable --now unipath-guest@${name}`));
  findings.push(...judgeInterface(main));
  if (vfs.length === 0) findings.push(finding('ok', name, 'no VF now; frames go by the virtio NIC'));
  for (const vf of vfs) findings.push(...judgePluginVf(vf, main, plugin, restart));
  return findings;
}

function judgePluginVf(vf: NicFacts, main: NicFacts, plugin: PluginFacts | null, restart: string): Finding[] {
  if (vf.master !== null) {
    return [finding('problem', vf.name, `it has the MAC address of ${main.name}, but is a slave of ${vf.master}`, `run: ip link set dev ${vf.name} nomaster`)];
  }
  const findings = [...judgeVf(vf, `VF of ${main.name}`), ...noAddresses(vf, 'VF')];
  if (!vf.programs.includes('plugin_vf_ingress')) findings.push(finding('problem', vf.name, 'what arrives on it goes nowhere: plugin_vf_ingress is not attached', restart));
  if (vf.up && vf.link) {
    if (plugin?.vfIfindex !== vf.ifindex) findings.push(finding('warn', vf.name, 'the plug-in does not use it (yet)', 'wait a second; if it stays so, look at the agent\'s log: journalctl -u unipath-guest@' + main.name));
    else if (plugin.drained) findings.push(finding('warn', vf.name, 'the host has asked for it back: nothing is sent by it', null));
  }
  findings.push(judgeChecksum(vf));
  return findings;
}

/** Frames redirected by the host's programs must be whole; an adapter, real or emulated, finishes what it is given. */
function judgeChecksum(vf: NicFacts): Finding {
  if (vf.kind === 'veth' && vf.txChecksum !== false) {
    return finding('problem', vf.name, 'it sends frames without their checksums, and nobody finishes them', `run: ethtool -K ${vf.name} tx off`);
  }
  const how = vf.txChecksum === null ? 'not known' : vf.txChecksum ? 'finished by the adapter' : 'computed by the kernel';
  return finding('ok', vf.name, `checksums of what it sends: ${how}`);
}

function judgeInterface(main: NicFacts): Finding[] {
  if (!main.up) return [finding('problem', main.name, 'it is down', `run: ip link set dev ${main.name} up`)];
  if (!main.link) return [finding('problem', main.name, 'it has no link', 'look at its tap on the host')];
  if (main.addresses.length === 0) return [finding('warn', main.name, 'it has no IP address', 'configure it: this is the interface that applications use')];
  return [finding('ok', main.name, `it has ${main.addresses.join(', ')}`)];
}

function judgeVf(vf: NicFacts, what: string): Finding[] {
  const driver = vf.driver ?? 'no driver';
  if (!vf.up) return [finding('problem', vf.name, `the ${what} (${driver}) is down`, `run: ip link set dev ${vf.name} up; and see who set it down`)];
  if (!vf.link) return [finding('warn', vf.name, `the ${what} (${driver}) has no link; frames go by the virtio NIC`, 'an adapter may take seconds; if it stays so, look at the PF on the host')];
  return [finding('ok', vf.name, `the ${what} (${driver}) has its link`)];
}

function noAddresses(nic: NicFacts, what: string): Finding[] {
  if (nic.addresses.length === 0) return [];
  const text = `the ${what} has the address ${nic.addresses.join(', ')}: frames would leave by it past its master, and answers get lost`;
  return [finding('problem', nic.name, text, `run: ip address flush dev ${nic.name}; ${INSTALL_RULE}`)];
}

/** Devices that nobody uses, and that could be a VF but for their MAC address. */
function judgeStrangers({ nics }: GuestFacts, groups: readonly Group[]): Finding[] {
  const macs = new Set(groups.map(({ main }) => main.mac));
  const idle = nics.filter(({ bus, kind, master, addresses, mac }) => bus === 'pci' && kind === null && master === null && addresses.length === 0 && !macs.has(mac));
  return idle.map(({ name, mac }) =>
    finding('warn', name, `it has no address, and the MAC address ${mac} of no virtio NIC: as a VF nobody takes it`, 'if the host meant it as a VF, set its MAC address there'),
  );
}

function judgeManagers(facts: GuestFacts, groups: readonly Group[]): Finding[] {
  if (facts.managers.length === 0) return [finding('ok', 'managers', 'neither NetworkManager nor systemd-networkd runs')];
  const slaves = groups.flatMap(({ standby, vfs }) => [...(standby === null ? [] : [standby]), ...vfs]);
  return facts.managers.map((manager) => judgeManager(manager, slaves, facts));
}

function judgeManager(manager: Manager, slaves: readonly NicFacts[], { leaveAloneRule }: GuestFacts): Finding {
  const managed = slaves.filter(({ managedBy }) => managedBy.includes(manager)).map(({ name }) => name);
  if (managed.length > 0) {
    const once = manager === 'NetworkManager' ? managed.map((name) => `nmcli device set ${name} managed no`).join('; ') : 'networkctl reload';
    return finding('problem', manager, `it manages ${managed.join(', ')}, and may put addresses there`, `${INSTALL_RULE}; for now: ${once}`);
  }
  if (!leaveAloneRule) return finding('warn', manager, 'nothing tells it to leave VFs alone', INSTALL_RULE);
  return finding('ok', manager, slaves.length === 0 ? 'it will leave VFs alone' : `it leaves ${slaves.map(({ name }) => name).join(', ')} alone`);
}
