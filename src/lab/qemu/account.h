/* What became of every number of one stream: one bit each, as src/lab/traffic/arrivals.ts counts them. */
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
};

static inline void account_init(struct account *account)
{
	memset(account, 0, sizeof(*account));
	account->highest = -1;
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
	account->last_ns = now_ns;
	if (!account_grow(account, number)) {
		account->beyond++;
		return;
	}
	if (account_has(account, number)) {
		account->duplicated++;
		return;
	}
	account->seen[number / 64] |= 1ull << number % 64;
	account->received++;
	account->corrupt += corrupt;
	if ((int64_t)number > account->highest)
		account->highest = number;
	else
		account->reordered++;
}

/* The fields of a JSON object, without its brackets. `lost` is of the numbers up to the highest. */
static inline void account_print(const struct account *account, FILE *out)
{
	int64_t numbers = account->highest + 1;
	int64_t first = -1;
	int runs = 0;

	fprintf(out, "\"received\":%llu,\"highest\":%lld,\"lost\":%llu,\"duplicated\":%llu,\"reordered\":%llu,\"corrupt\":%llu,\"beyond\":%llu,"
		"\"longestGapMs\":%.1f,\"missing\":[",
		(unsigned long long)account->received, (long long)account->highest, (unsigned long long)(numbers - account->received),
		(unsigned long long)account->duplicated, (unsigned long long)account->reordered, (unsigned long long)account->corrupt,
		(unsigned long long)account->beyond, account->longest_gap_ns / 1e6);
	for (int64_t number = 0; number <= numbers && runs < ACCOUNT_RUNS; number++) {
		int missing = number < numbers && !account_has(account, number);

		if (missing && first < 0)
			first = number;
		if (!missing && first >= 0) {
			fprintf(out, "%s[%lld,%lld]", runs++ ? "," : "", (long long)first, (long long)number - 1);
			first = -1;
		}
	}
	fputc(']', out);
}

#endif
