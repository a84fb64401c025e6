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

#define HEAVY(number) \
	SEC("xdp") \
	int heavy_##number(struct xdp_md *ctx) \
	{ \
		return turn_around(ctx->rx_queue_index + number); \
	}

HEAVY(1)
HEAVY(2)
HEAVY(3)
HEAVY(4)
HEAVY(5)
HEAVY(6)
HEAVY(7)
HEAVY(8)
HEAVY(9)
HEAVY(10)
HEAVY(11)
HEAVY(12)

char _license[] SEC("license") = "GPL";
