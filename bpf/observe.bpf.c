// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What becomes of frames after the decision: the kernel tells of refused redirects, full queues and aborted programs only
 * by tracepoints (include/trace/events/xdp.h). They fire for every network namespace; only our own is counted.
 */
#include "config.h"
#include "counters.h"
#include <bpf/bpf_tracing.h>

/* The few kernel fields that are read; offsets come from the running kernel's BTF. */
struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
} __attribute__((preserve_access_index));

static __always_inline int is_own(const struct net_device *device)
{
	return !own_netns || device->nd_net.net->ns.inum == own_netns;
}

static __always_inline void count_error(enum redirect_error kind, __u32 ifindex, int error, __u64 frames)
{
	struct redirect_error_key key = { .ifindex = ifindex, .error = error, .kind = kind };
	__u64 *value = bpf_map_lookup_elem(&redirect_errors, &key);

	if (value)
		*value += frames;
	else
		bpf_map_update_elem(&redirect_errors, &key, &frames, BPF_NOEXIST);
}

SEC("tp_btf/xdp_redirect_err")
int BPF_PROG(observe_redirect, const struct net_device *device, const void *program, const void *target, int error)
{
	if (is_own(device))
		count_error(REDIRECT_ERROR_REDIRECT, device->ifindex, error, 1);
	return 0;
}

SEC("tp_btf/xdp_devmap_xmit")
int BPF_PROG(observe_devmap, const struct net_device *from, const struct net_device *to, int sent, int dropped, int error)
{
	if (dropped > 0 && is_own(to))
		count_error(REDIRECT_ERROR_DEVMAP, to->ifindex, error, dropped);
	return 0;
}

SEC("tp_btf/xdp_cpumap_enqueue")
int BPF_PROG(observe_cpumap, int map_id, unsigned int processed, unsigned int dropped, int to_cpu)
{
	__u32 zero = 0;
	struct meta *meta = bpf_map_lookup_elem(&metas, &zero);

	if (dropped > 0 && meta && meta->cpus_map_id == map_id)
		count_error(REDIRECT_ERROR_CPUMAP, to_cpu, 0, dropped);
	return 0;
}

SEC("tp_btf/xdp_exception")
int BPF_PROG(observe_exception, const struct net_device *device, const void *program, __u32 act)
{
	if (is_own(device))
		count_error(REDIRECT_ERROR_EXCEPTION, device->ifindex, 0, 1);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
