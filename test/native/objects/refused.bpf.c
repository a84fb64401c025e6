/* The second program reads past the end of the frame: the verifier refuses it. */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int accepted(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int refused(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	__u32 sum = 0;

	for (int i = 0; i < 40; i++)
		sum += ctx->rx_queue_index ^ (sum << 3);
	return sum + data[100];
}

char _license[] SEC("license") = "GPL";
