/** Which netdev of the guest is the VF of its interface. Pure. */
import type { DumpedLink } from '../host/link_messages.js';

/**
 * A device of its own (no kind) or a veth, under the interface's MAC address. VLAN and other devices stacked on the interface
 * share its address too, but have a kind; a slave of something else is not ours to take.
 */
function couldBeVf(link: DumpedLink, interfaceLink: DumpedLink): boolean {
  return (
    link.ifindex !== interfaceLink.ifindex &&
    link.mac === interfaceLink.mac &&
    (link.kind === null || link.kind === 'veth') &&
    link.master === null
  );
}

/** The VF, or null. With several, `current` keeps its place; else the oldest (lowest ifindex) has it. */
export function chooseVf(links: Iterable<DumpedLink>, interfaceLink: DumpedLink, current: number | null): DumpedLink | null {
  const candidates = [...links].filter((link) => couldBeVf(link, interfaceLink)).sort((a, b) => a.ifindex - b.ifindex);
  return candidates.find((link) => link.ifindex === current) ?? candidates[0] ?? null;
}
