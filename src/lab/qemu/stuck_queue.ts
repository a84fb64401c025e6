/** What a guest's kernel says of a NIC that does not send what it is given. Pure. */

/**
 * Lines of the kernel's log about NICs that did not send what they were given (dev_watchdog(), net/sched/sch_generic.c). QEMU's rtl8139
 * did so after 3 of 12 plugs; its driver begins anew after 6 s.
 */
export function stuckQueueWords(log: string): string[] {
  return log.split('\n').flatMap((line) => (line.includes('NETDEV WATCHDOG: ') ? [line.replace(/^\[[\s\d.]+\]\s*/, '').trim()] : []));
}
