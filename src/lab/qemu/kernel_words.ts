/** What a guest's kernel says of disorder that emulation brings it into, and nobody else. Pure. */

/**
 * QEMU 7.2 without KVM now and then brings a guest that it has migrated into disorder: its kernel dies of what nobody did to it. That
 * says nothing of unipath, so whoever sees it begins anew.
 */
const DEAD_KERNEL = /Kernel panic|scheduling while atomic|BUG: |Oops|general protection fault|stack-protector/;

/** The first words of the kernel's end in a guest's console; null while it lives. */
export const deadKernelWords = (console: string): string | null => DEAD_KERNEL.exec(console)?.[0] ?? null;

/**
 * Lines of the kernel's log about NICs that did not send what they were given (dev_watchdog(), net/sched/sch_generic.c). QEMU's rtl8139
 * does so after about every fifth plug; its driver begins anew after 6 s.
 */
export function stuckQueueWords(log: string): string[] {
  return log.split('\n').flatMap((line) => (line.includes('NETDEV WATCHDOG: ') ? [line.replace(/^\[[\s\d.]+\]\s*/, '').trim()] : []));
}
