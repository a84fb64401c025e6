/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The control frames between the host and the guest plug-in. They travel on the tap only. */
#ifndef UNIPATH_CONTROL_FRAME_H
#define UNIPATH_CONTROL_FRAME_H

#include "verdicts.h"

enum control_command {
	CONTROL_DRAIN = 1,	/* host to guest: stop transmitting on the VF, it will be unplugged */
	CONTROL_DRAINED = 2,	/* guest to host: done; nothing follows on the VF */
	CONTROL_RESUME = 3,	/* host to guest: the VF stays, use it again */
	CONTROL_RESUMED = 4,	/* guest to host: done */
} __attribute__((packed));

/* Follows the Ethernet header; numbers in network order. */
struct control_frame {
	__be32 magic;
	__be32 sequence;	/* chosen by the host, repeated in the answer */
	enum control_command command;
	__u8 reserved[39];	/* fills the frame past the 60 bytes that Ethernet wants */
};
_Static_assert(sizeof(struct control_frame) == 48, "struct control_frame is a wire format");

#endif
