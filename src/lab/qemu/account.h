/*
 * What became of every number of one stream: one bit each, as src/lab/traffic/arrivals.ts counts them. A question about the numbers
 * from..to-1 is a question about one step of a run.
 */
#ifndef UNIPATH_ACCOUNT_H
#define UNIPATH_ACCOUNT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers beyond are not looked at: two hours at 9000 a second, in 8 MiB. */
#define ACCOUNT_NUMBERS (64u << 20)
#define ACCOUNT_FIRST_NUMBERS (1u << 20)
/* Runs of missing numbers that are listed. */
#define ACCOUNT_RUNS 20
/* Numbers that are remembered of those doubled, late or damaged: more are counted, but not to a step. */
#define ACCOUNT_LISTED (1u << 16)
/* Pauses that are remembered; shorter ones are the timer's business. */
#define ACCOUNT_GAPS 4096
#define ACCOUNT_GAP_FLOOR_NS 2000000ull

struct number_list {
	uint64_t *numbers;
	uint32_t count;
	uint32_t room;
};

/* Ended by the datagram of this number. */
struct account_gap {
	uint64_t number;
	uint64_t start_ns;
	uint64_t length_ns;
};

struct account {
	uint64_t *seen;
	/* Numbers that `seen` has bits for. */
	uint64_t numbers;
	/* -1 before the first. */
	int64_t highest;
	uint64_t received;
	uint64_t duplicated;
	uint64_t reordered;
	uint64_t corrupt;
	/* Too high to be kept. */
	uint64_t beyond;
	/* 0 before the first. */
	uint64_t last_ns;
	uint64_t longest_gap_ns;
	struct number_list duplicates;
	struct number_list late;
	struct number_list damaged;
	struct account_gap *gaps;
	uint32_t gap_count;
	uint64_t gap_floor_ns;
};

static inline void account_init(struct account *account)
{
	memset(account, 0, sizeof(*account));
	account->highest = -1;
	account->gap_floor_ns = ACCOUNT_GAP_FLOOR_NS;
}

static inline void number_list_add(struct number_list *list, uint64_t number)
{
	if (list->count == list->room) {
		uint32_t room = list->room ? 2 * list->room : 64;
		uint64_t *numbers = room > ACCOUNT_LISTED ? NULL : realloc(list->numbers, room * sizeof(*numbers));

		if (!numbers)
			return;
		list->numbers = numbers;
		list->room = room;
	}
	list->numbers[list->count++] = number;
}

static inline uint64_t number_list_within(const struct number_list *list, uint64_t from, uint64_t to)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < list->count; i++)
		count += list->numbers[i] >= from && list->numbers[i] < to;
	return count;
}

static inline int account_gap_compare(const void *a, const void *b)
{
	uint64_t left = ((const struct account_gap *)a)->length_ns, right = ((const struct account_gap *)b)->length_ns;

	return left < right ? -1 : left > right;
}

static inline void account_add_gap(struct account *account, uint64_t number, uint64_t start_ns, uint64_t length_ns)
{
	if (length_ns < account->gap_floor_ns)
		return;
	if (!account->gaps && !(account->gaps = malloc(ACCOUNT_GAPS * sizeof(*account->gaps))))
		return;
	if (account->gap_count == ACCOUNT_GAPS) {
		/* Bounded over hours: forget the shorter half, and anything as short from now on. */
		qsort(account->gaps, ACCOUNT_GAPS, sizeof(*account->gaps), account_gap_compare);
		account->gap_floor_ns = account->gaps[ACCOUNT_GAPS / 2 - 1].length_ns + 1;
		account->gap_count = ACCOUNT_GAPS / 2;
		memcpy(account->gaps, account->gaps + ACCOUNT_GAPS / 2, account->gap_count * sizeof(*account->gaps));
		if (length_ns < account->gap_floor_ns)
			return;
	}
	account->gaps[account->gap_count++] = (struct account_gap){ number, start_ns, length_ns };
}

static inline int account_has(const struct account *account, uint64_t number)
{
	return number < account->numbers && (account->seen[number / 64] >> number % 64 & 1);
}

/* Makes room for the bit of a number. Returns 0 when it cannot be kept. */
static inline int account_grow(struct account *account, uint64_t number)
{
	uint64_t numbers = account->numbers ? account->numbers : ACCOUNT_FIRST_NUMBERS;
	uint64_t *seen;

	if (number < account->numbers)
		return 1;
	if (number >= ACCOUNT_NUMBERS)
		return 0;
	while (numbers <= number)
		numbers *= 2;
	seen = realloc(account->seen, numbers / 8);
	if (!seen)
		return 0;
	memset(seen + account->numbers / 64, 0, (numbers - account->numbers) / 8);
	account->seen = seen;
	account->numbers = numbers;
	return 1;
}

static inline void account_add(struct account *account, uint64_t number, uint64_t now_ns, int corrupt)
{
	if (account->last_ns && now_ns - account->last_ns > account->longest_gap_ns)
		account->longest_gap_ns = now_ns - account->last_ns;
	if (account->last_ns)
		account_add_gap(account, number, account->last_ns, now_ns - account->last_ns);
	account->last_ns = now_ns;
	if (!account_grow(account, number)) {
		account->beyond++;
		return;
	}
	if (account_has(account, number)) {
		account->duplicated++;
		number_list_add(&account->duplicates, number);
		return;
	}
	account->seen[number / 64] |= 1ull << number % 64;
	account->received++;
	if (corrupt) {
		account->corrupt++;
		number_list_add(&account->damaged, number);
	}
	if ((int64_t)number > account->highest) {
		account->highest = number;
		return;
	}
	account->reordered++;
	number_list_add(&account->late, number);
}

/* "missing": the first runs [first, last] of the numbers from..to-1 that did not arrive. */
static inline void account_print_missing(const struct account *account, int64_t from, int64_t to, FILE *out)
{
	int64_t first = -1;
	int runs = 0;

	fputs("\"missing\":[", out);
	for (int64_t number = from; number <= to && runs < ACCOUNT_RUNS; number++) {
		int missing = number < to && !account_has(account, number);

		if (missing && first < 0)
			first = number;
		if (!missing && first >= 0) {
			fprintf(out, "%s[%lld,%lld]", runs++ ? "," : "", (long long)first, (long long)number - 1);
			first = -1;
		}
	}
	fputc(']', out);
}

/* What became of the numbers from..to-1, as a JSON object. */
static inline void account_print_range(const struct account *account, uint64_t from, uint64_t to, FILE *out)
{
	const struct account_gap *longest = NULL;
	uint64_t received = 0;

	for (uint64_t number = from; number < to; number++)
		received += account_has(account, number);
	for (uint32_t i = 0; i < account->gap_count; i++) {
		const struct account_gap *gap = &account->gaps[i];

		if (gap->number >= from && gap->number < to && (!longest || gap->length_ns > longest->length_ns))
			longest = gap;
	}
	fprintf(out, "{\"received\":%llu,\"duplicated\":%llu,\"reordered\":%llu,\"corrupt\":%llu,\"longestGap\":", (unsigned long long)received,
		(unsigned long long)number_list_within(&account->duplicates, from, to),
		(unsigned long long)number_list_within(&account->late, from, to),
		(unsigned long long)number_list_within(&account->damaged, from, to));
	if (longest)
		fprintf(out, "{\"sequence\":%llu,\"startNs\":%llu,\"lengthNs\":%llu},", (unsigned long long)longest->number,
			(unsigned long long)longest->start_ns, (unsigned long long)longest->length_ns);
	else
		fputs("null,", out);
	account_print_missing(account, from, to, out);
	fputc('}', out);
}

/* The fields of a JSON object, without its brackets. `lost` is of the numbers up to the highest. */
static inline void account_print(const struct account *account, FILE *out)
{
	int64_t numbers = account->highest + 1;

	fprintf(out, "\"received\":%llu,\"highest\":%lld,\"lost\":%llu,\"duplicated\":%llu,\"reordered\":%llu,\"corrupt\":%llu,\"beyond\":%llu,"
		"\"longestGapMs\":%.1f,", (unsigned long long)account->received, (long long)account->highest,
		(unsigned long long)(numbers - account->received), (unsigned long long)account->duplicated,
		(unsigned long long)account->reordered, (unsigned long long)account->corrupt, (unsigned long long)account->beyond,
		account->longest_gap_ns / 1e6);
	account_print_missing(account, 0, numbers, out);
}

#endif
