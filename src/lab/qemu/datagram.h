/* The numbered datagram of the lab's traffic, byte for byte as src/lab/traffic/datagram.ts makes and checks it. */
#ifndef UNIPATH_DATAGRAM_H
#define UNIPATH_DATAGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DATAGRAM_MAGIC 0x554e4454u
#define DATAGRAM_HEADER_BYTES 32
#define DATAGRAM_MAX_BYTES 65507

enum datagram_stream { STREAM_FORWARD, STREAM_ECHO, STREAM_PROBE, STREAM_PROBE_ANSWER };

enum datagram_check {
	DATAGRAM_GOOD,
	/* Not ours at all. */
	DATAGRAM_FOREIGN,
	/* Ours, but flow and number cannot be trusted. */
	DATAGRAM_BAD_HEADER,
	/* They can. */
	DATAGRAM_BAD_PAYLOAD,
};

/* As on the wire; x86 and arm64 are little-endian, as the wire format is. */
struct datagram_header {
	uint32_t magic;
	uint32_t flow;
	uint64_t sequence;
	uint64_t sent_ns;
	uint16_t length;
	uint16_t stream;
	uint32_t sum;
};
_Static_assert(sizeof(struct datagram_header) == DATAGRAM_HEADER_BYTES, "the header is as on the wire");

static inline uint32_t datagram_mix(uint32_t hash, uint32_t value)
{
	uint32_t product = (hash ^ value) * 0x85ebca6bu;

	return (product ^ (product >> 13)) * 0xc2b2ae35u ^ (product >> 16);
}

static inline uint32_t datagram_sum(const struct datagram_header *header)
{
	uint32_t sum = datagram_mix(DATAGRAM_MAGIC, header->flow);

	sum = datagram_mix(sum, (uint32_t)header->stream << 16 ^ header->length);
	sum = datagram_mix(sum, (uint32_t)header->sequence);
	sum = datagram_mix(sum, (uint32_t)(header->sequence >> 32));
	sum = datagram_mix(sum, (uint32_t)header->sent_ns);
	sum = datagram_mix(sum, (uint32_t)(header->sent_ns >> 32));
	sum ^= sum >> 15;
	return sum ? sum : 1;
}

static inline uint32_t datagram_next_word(uint32_t state)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* Fills `length` bytes; magic and sum of the header are set here. */
static inline void datagram_make(uint8_t *bytes, struct datagram_header header)
{
	uint32_t word;

	header.magic = DATAGRAM_MAGIC;
	header.sum = datagram_sum(&header);
	memcpy(bytes, &header, sizeof(header));
	word = header.sum;
	for (size_t at = sizeof(header); at < header.length; at += sizeof(word)) {
		size_t left = header.length - at;

		word = datagram_next_word(word);
		memcpy(bytes + at, &word, left < sizeof(word) ? left : sizeof(word));
	}
}

/* Fills `header` in every case but DATAGRAM_FOREIGN. */
static inline enum datagram_check datagram_check(const uint8_t *bytes, size_t length, struct datagram_header *header)
{
	uint32_t word;

	if (length < sizeof(*header))
		return DATAGRAM_FOREIGN;
	memcpy(header, bytes, sizeof(*header));
	if (header->magic != DATAGRAM_MAGIC)
		return DATAGRAM_FOREIGN;
	if (header->sum != datagram_sum(header))
		return DATAGRAM_BAD_HEADER;
	if (header->length != length)
		return DATAGRAM_BAD_PAYLOAD;
	word = header->sum;
	for (size_t at = sizeof(*header); at < length; at += sizeof(word)) {
		size_t left = length - at;

		word = datagram_next_word(word);
		if (memcmp(bytes + at, &word, left < sizeof(word) ? left : sizeof(word)))
			return DATAGRAM_BAD_PAYLOAD;
	}
	return DATAGRAM_GOOD;
}

#endif
