/* The byte stream of the lab's TCP connections, as src/lab/traffic/counter_stream.ts makes and checks it: word n is n and a mix of n. */
#ifndef UNIPATH_COUNTER_STREAM_H
#define UNIPATH_COUNTER_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNTER_WORD_BYTES 8

static inline void counter_word(uint64_t n, uint8_t word[COUNTER_WORD_BYTES])
{
	uint32_t low = (uint32_t)n;
	uint32_t hash = (low ^ 0x9e3779b9u) * 0x85ebca6bu;

	hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
	hash ^= hash >> 16;
	memcpy(word, &low, sizeof(low));
	memcpy(word + sizeof(low), &hash, sizeof(hash));
}

/* Checks a stream, however it is cut. */
struct counter_reader {
	uint64_t next;
	uint64_t bytes;
	uint64_t wrong_words;
	uint8_t partial[COUNTER_WORD_BYTES];
	size_t partial_length;
};

static inline void counter_read(struct counter_reader *reader, const uint8_t *data, size_t length)
{
	uint8_t wanted[COUNTER_WORD_BYTES];

	reader->bytes += length;
	for (size_t at = 0; at < length;) {
		size_t taken = sizeof(reader->partial) - reader->partial_length;

		if (taken > length - at)
			taken = length - at;
		memcpy(reader->partial + reader->partial_length, data + at, taken);
		reader->partial_length += taken;
		at += taken;
		if (reader->partial_length < sizeof(reader->partial))
			return;
		counter_word(reader->next++, wanted);
		if (memcmp(wanted, reader->partial, sizeof(wanted)))
			reader->wrong_words++;
		reader->partial_length = 0;
	}
}

#endif
