import test from 'ava';
import { type LibvirtReason, refusal } from '../../../../src/hypervisor/libvirt/refusals.js';

/** What virsh 9.0 wrote to stderr when these things happened. */
const SEEN: readonly (readonly [reason: LibvirtReason, stderr: string])[] = [
  ['unreachable', "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory"],
  ['unreachable', "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/run/libvirt/libvirt-sock': Connection refused"],
  ['unreachable', 'error: Disconnected from qemu:///system due to end of file\nerror: internal error: client socket is closed'],
  ['unreachable', "error: failed to get domain 'b2bb70c5-dfb3-49aa-8a98-2181ca8a5437'\nerror: End of file while reading data: Input/output error"],
  ['unreachable', 'error: Failed to reconnect to the hypervisor'],
  ['not_allowed', "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied"],
  ['not_allowed', 'error: operation forbidden: read only access prevents virDomainQemuMonitorCommand'],
  ['no_domain', "error: failed to get domain 'b2bb70c5-dfb3-49aa-8a98-2181ca8a5437'"],
  ['not_running', 'error: Failed to attach device from nic.xml\nerror: Requested operation is not valid: domain is not running'],
  [
    'busy',
    'error: Failed to attach device from nic.xml\nerror: Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainMigratePerform3Params)',
  ],
  ['no_device', 'error: Failed to detach device with alias ua-vf0\nerror: internal error: no device found with alias ua-vf0'],
  [
    'being_unplugged',
    "error: Failed to detach device with alias ua-vf0\nerror: internal error: unable to execute QEMU command 'device_del': Device ua-vf0 is already in the process of unplug",
  ],
  ['alias_in_use', 'error: Failed to attach device from nic.xml\nerror: unsupported configuration: non unique alias detected: ua-vf0'],
  ['no_slot', 'error: Failed to attach device from nic.xml\nerror: internal error: No more available PCI slots'],
  ['no_slot', 'error: Failed to attach device from nic.xml\nerror: XML error: Attempted double use of PCI Address 0000:02:00.0'],
  ['no_slot', 'error: Failed to attach device from nic.xml\nerror: XML error: Invalid PCI address 0000:09:00.0. Only PCI buses up to 3 are available'],
  ['no_passthrough', "error: Failed to attach device from hd.xml\nerror: unsupported configuration: host doesn't support passthrough of host PCI devices"],
  ['no_such_source', "error: Failed to attach device from nic.xml\nerror: internal error: target managed='no' but specified dev doesn't exist"],
  ['source_in_use', 'error: Failed to attach device from nic.xml\nerror: Unable to create tap device vfa: Device or resource busy'],
  [
    'no_standby',
    "error: Failed to attach device from tr.xml\nerror: unsupported configuration: virtio-net teaming transient interface must be type='hostdev', not 'bridge'",
  ],
  ['refused', "error: internal error: unable to execute QEMU command 'device_add': no"],
];

test('what libvirt says becomes a reason', (t) => {
  for (const [reason, stderr] of SEEN) t.is(refusal('x', stderr).reason, reason, stderr);
});

test('the message has what was asked, libvirt’s words once, and what to do', (t) => {
  t.is(
    refusal('plug ua-vf0 into web', 'error: Failed to attach device from /tmp/x/nic.xml\nerror: internal error: No more available PCI slots\n\n').message,
    'plug ua-vf0 into web: internal error: No more available PCI slots (the guest has no free hot-plug slot; give its domain more pcie-root-port controllers)',
  );
  t.is(refusal('look', '').message, 'look: virsh failed without a word');
  t.is(refusal('look', 'error: strange\n').message, 'look: strange');
});
