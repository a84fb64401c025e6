// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Source and sink of the tests that follow live frames to their queue. A frame says which flow it is by its source MAC address
 * (02:ee:00:00:high:low) and which of all frames by a number behind its headers.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum {
	FRAME_SIZE = 128,
	NUMBER_AT = 96,		/* behind every header that the tests write */
	TIME_AT = 104,
	PORT_AT = 112,		/* ifindex of the device where it must arrive; 0 = any */
	MAX_FLOWS = 1024,
	MAX_QUEUES = 64,
	LOG_SIZE = 1 << 20,
	LONGEST_SPIN = 64,
};

struct template {
	__u64 words[FRAME_SIZE / 8];
};

/* The frames to send, in turn. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_FLOWS);
	__type(key, __u32);
	__type(value, struct template);
} templates SEC(".maps");

struct state {
	__u32 flows;	/* templates in use; written by the test while nothing runs, and so is `logging` */
	__u32 logging;
	__u32 next;	/* template */
	__u32 number;	/* of the next frame */
	__u32 arrived;	/* entries of `arrival_log` */
	__u32 spin;	/* time between frames, in readings of the clock; written by the test */
	__u32 misdelivered;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct state);
} states SEC(".maps");

/* steer_uplink, put there by the test. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} steer SEC(".maps");

/* Frames by flow * MAX_QUEUES + receive queue. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_FLOWS * MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u64);
} arrivals SEC(".maps");

struct arrival {
	__u64 sent_ns;	/* CLOCK_MONOTONIC */
	__u32 number;
	__u16 queue;
	__u16 cpu;
};

/* In the order of arrival, over all queues and CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LOG_SIZE);
	__type(key, __u32);
	__type(value, struct arrival);
} arrival_log SEC(".maps");

/* Runs on one CPU at a time. */
SEC("xdp.frags")
int number_frame(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct template *frame = data, *from;
	__u32 zero = 0, flow;
	struct state *state = bpf_map_lookup_elem(&states, &zero);

	if (!state || (void *)(frame + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	flow = state->next;
	state->next = flow + 1 < state->flows ? flow + 1 : 0;
	from = bpf_map_lookup_elem(&templates, &flow);
	if (!from)
		return XDP_ABORTED;
	for (int i = 0; i < LONGEST_SPIN && i < state->spin; i++)
		bpf_ktime_get_ns();
	*frame = *from;
	*(__u32 *)(data + NUMBER_AT) = state->number++;
	*(__u64 *)(data + TIME_AT) = bpf_ktime_get_ns();
	bpf_tail_call(ctx, &steer, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int note_arrival(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct template *frame = data;
	struct ethhdr *eth = data;
	struct arrival *arrival;
	struct state *state;
	__u32 zero = 0, key, at, port;
	__u64 *count;

	if ((void *)(frame + 1) > (void *)(long)ctx->data_end || eth->h_source[0] != 0x02 || eth->h_source[1] != 0xee)
		return XDP_DROP; /* the kernel's own chatter */
	state = bpf_map_lookup_elem(&states, &zero);
	if (!state)
		return XDP_DROP;
	port = *(__u32 *)(data + PORT_AT);
	if (port && port != ctx->ingress_ifindex)
		__sync_fetch_and_add(&state->misdelivered, 1);
	key = (eth->h_source[4] << 8 | eth->h_source[5]) * MAX_QUEUES + ctx->rx_queue_index;
	count = bpf_map_lookup_elem(&arrivals, &key);
	if (count)
		*count += 1;
	if (!state->logging)
		return XDP_DROP;
	at = __sync_fetch_and_add(&state->arrived, 1);
	arrival = bpf_map_lookup_elem(&arrival_log, &at);
	if (arrival) {
		arrival->sent_ns = *(__u64 *)(data + TIME_AT);
		arrival->number = *(__u32 *)(data + NUMBER_AT);
		arrival->queue = ctx->rx_queue_index;
		arrival->cpu = bpf_get_smp_processor_id();
	}
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
