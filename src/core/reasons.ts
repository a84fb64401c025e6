/** One sentence per reason: why a vNIC is not accelerated, and what would change that. */
import { guestName, type NotAcceleratedReason, type VnicSpec } from './model.js';

const SENTENCES: Readonly<Record<NotAcceleratedReason, (vnic: VnicSpec, bridge: string) => string>> = {
  none: () => 'it is accelerated',
  policy_software: (vnic) =>
    `the configuration wants the software path; set its policy to accelerated, or run: unipath vnic accelerate ${vnic.name}`,
  operator_software: (vnic) => `the operator asked for the software path; run: unipath vnic accelerate ${vnic.name}`,
  uplink_missing: (vnic) => `the uplink of adapter ${vnic.adapter} is not there; it goes on when the device appears`,
  tap_missing: (vnic) => `the tap ${vnic.tap} is not there; it goes on when the device appears`,
  guest_missing: (vnic) => `the guest ${guestName(vnic.guest)} is not there; it goes on when the guest is started`,
  duplicate_mac: (vnic) =>
    `another vNIC has the same MAC address ${vnic.mac} in VLAN ${vnic.vlans.join(' or ')}; give each its own in the configuration`,
  adapter_without_vfs: (vnic) => `adapter ${vnic.adapter} has no VFs; add some to the configuration`,
  no_free_vf: (vnic) => `every VF of adapter ${vnic.adapter} is in use or lost; it gets the next one that is given back`,
  vf_budget_exhausted: (vnic) => `adapter ${vnic.adapter} has handed out as many VFs as its limit allows; raise limits.vfs, or free a VF`,
  queue_budget_exhausted: (vnic) =>
    `a further VF of adapter ${vnic.adapter} would exceed its queue limit; raise limits.queues, or free a VF`,
  vf_lost: () => 'its VF vanished or lost its link without notice; it is accelerated again when a VF is free',
  vf_too_few_queues: (vnic) => `the free VF of adapter ${vnic.adapter} has no queue; create it with at least one`,
  plugging: () => 'it is being given a VF',
  draining: () => 'its VF is being taken back',
  guest_silent: () => 'it was given a VF but the guest does not transmit on it; check that the plug-in runs in the guest',
  retry_backoff: () => 'the last attempt to give it a VF failed; it is tried again',
  attach_refused: () => 'a program could not be attached; remove the foreign XDP program from the device, nothing of others is displaced',
  internal_error: () => 'something that should not happen did; the log has more, and it is tried again',
  bridge_missing: (vnic) => `the bridge of adapter ${vnic.adapter} is not there; it goes on when the device appears`,
  bridge_without_vlan_filtering: (vnic, bridge) =>
    `${bridge} does not look at VLAN tags, so the broadcasts of an access vNIC would leave without the tag of VLAN ${vnic.vlans.join()}; ` +
    `run: ip link set ${bridge} type bridge vlan_filtering 1`,
  guest_paused: () => 'the guest is paused and can take no device; it goes on when the guest runs',
  guest_incoming: () => 'the guest is on its way here by live migration; it goes on when the guest has arrived',
  guest_leaving: () => 'the guest is on its way to another host by live migration',
  guest_without_failover: () =>
    'the guest can use no VF beside its virtio NIC: neither has it negotiated failover (virtio-net-pci,failover=on, driver net_failover) ' +
    "nor does unipath's plug-in answer in it",
  guest_not_ready: () => 'it is not known yet whether the guest can use a VF; its driver may not be loaded',
  guest_refuses: () => 'the guest, or its hypervisor, refused; it is tried again',
  no_hotplug_port: () => 'the guest has no free PCIe port for hot-plug; give it one more (-device pcie-root-port) and restart it',
  vf_unfit: () =>
    'a VF that is passed through can be given only to a guest with virtio failover (net_failover) that does not tag its frames itself ' +
    '(vlan: 0, or {access: ID}); configure it so, or give the adapter other VFs',
  vector_budget_exhausted: (vnic) =>
    `a further VF of adapter ${vnic.adapter} would exceed its limit of MSI-X vectors; raise limits.vectors, or free a VF`,
  quota_exhausted: (vnic) =>
    `${vnic.terms.quota === null ? `the quota of adapter ${vnic.adapter}` : `quota ${vnic.terms.quota}, or that of its adapter,`} is used up; raise it in quotas, or free a VF`,
  vf_reserved: (vnic) => `what is free of adapter ${vnic.adapter} is reserved for vNICs whose guests are on their way here; see: unipath vf show`,
  vf_quarantined: (vnic) => `a VF of adapter ${vnic.adapter} is in quarantine, and the others are in use or lost; see: unipath vf show`,
  preempted: () => 'while it was idle its VF went to a vNIC of higher priority; it gets the next one that is given back',
  hypervisor_unreachable: () => "the guest's monitor cannot be reached; check that its socket is there and that nobody else holds it",
};

/** `detail`: what exactly went wrong, and when it is tried again, if there is something to say. `bridge`: of its adapter. */
export function reasonText(reason: NotAcceleratedReason, vnic: VnicSpec, detail: string | null = null, bridge = 'the bridge'): string {
  const sentence = SENTENCES[reason](vnic, bridge);
  return detail === null || detail === '' ? sentence : `${sentence} (${detail})`;
}
