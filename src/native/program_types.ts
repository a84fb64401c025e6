/** enum bpf_prog_type and enum bpf_attach_type, as far as they are told apart here. */
export const ProgramType = { SCHED_CLS: 3, SCHED_ACT: 4, XDP: 6, RAW_TRACEPOINT: 17, TRACING: 26 } as const;
export const AttachType = { XDP: 37, TCX_EGRESS: 47 } as const;
