/* Takes the verifier a while: it follows every turn of the loops. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define TURNS 3000

/*
 * One path only, on purpose: kernels have limits on the paths that may be open at once, and 6.18.44 crashes at one of them
 * (maybe_fork_scalars() on a value masked with a negated bit).
 */
static __always_inline int turn_around(__u32 x)
{
#pragma nounroll
	for (int i = 0; i < TURNS; i++) {
		x = x * 31 + i;
		asm volatile("" : "+r"(x));
		x = x * 17 + i;
		asm volatile("" : "+r"(x));
	}
	return x;
}

SEC("xdp")
int heavy_1(struct xdp_md *ctx)
{
	return turn_around(ctx->rx_queue_index);
}

SEC("xdp")
int heavy_2(struct xdp_md *ctx)
{
	return turn_around(ctx->ingress_ifindex);
}

SEC("xdp")
int heavy_3(struct xdp_md *ctx)
{
	return turn_around(ctx->rx_queue_index + 1);
}

char _license[] SEC("license") = "GPL";
