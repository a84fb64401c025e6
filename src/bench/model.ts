/** What is measured, and what a measurement is. Pure: the process that prints and the one that measures share it. */

/** Ways from the uplink to the guest. The first two are what the others are compared with. */
export const WAYS = ['bridge', 'redirect', 'rfs', 'rss4', 'rss6', 'cpumap'] as const;
export type Way = (typeof WAYS)[number];

export const WAY_TITLES: Readonly<Record<Way, string>> = {
  bridge: 'Linux bridge',
  redirect: 'minimal bpf_redirect_map',
  rfs: 'unipath, RFS hit',
  rss4: 'unipath, RSS IPv4',
  rss6: 'unipath, RSS IPv6',
  cpumap: 'unipath, RSS, through cpumap',
};

/** Programs whose cost alone is measured, without a redirect being carried out; `empty` is subtracted from the others. */
export const PROGRAMS = ['empty', 'redirect', 'rfs', 'rss4', 'rss6', 'cpumap'] as const;
export type MeasuredProgram = (typeof PROGRAMS)[number];

/** What ends the frames at the guest, see sink.ts. */
export const SINKS = ['xdp', 'stack'] as const;
export type SinkKind = (typeof SINKS)[number];

export interface WorkerOptions {
  readonly cpu: number;
  /** The CPU at the other end of the cpumap, or null: there is none. */
  readonly otherCpu: number | null;
  readonly rounds: number;
  /** Each way gets this many ns of frames per round, about. */
  readonly sliceNs: number;
  /** Network namespace of the guest's end. */
  readonly guestNetns: string;
  readonly sink: SinkKind;
}

/** One way in one round. */
export interface Sample {
  /** Frames sent and, at the sink, arrived. */
  readonly sent: number;
  readonly arrived: number;
  /** Per frame sent, on the sending CPU, by the kernel's clock. */
  readonly nsPerFrame: number;
  /** Share of the CPU time that the hypervisor took away, 0..1. */
  readonly steal: number;
}

export interface Round {
  readonly ways: Readonly<Partial<Record<Way, Sample>>>;
  /** ns per run. */
  readonly programs: Readonly<Partial<Record<MeasuredProgram, number>>>;
}

export interface WorkerReport {
  readonly rounds: readonly Round[];
}
