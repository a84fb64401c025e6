/**
 * QEMU 7.2 without KVM now and then brings a guest that it has migrated into disorder: its kernel dies of what nobody did to it. That
 * says nothing of unipath, so whoever sees it begins anew.
 */

const DEAD_KERNEL = /Kernel panic|scheduling while atomic|BUG: |Oops|general protection fault|invalid opcode|stack-protector|Fixing recursive fault/;

/** The first words of the kernel's end in a guest's console; null while it lives. */
export const deadKernelWords = (console: string): string | null => DEAD_KERNEL.exec(console)?.[0] ?? null;
