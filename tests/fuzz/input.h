/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_FUZZ_INPUT_H
#define AIOEVT_FUZZ_INPUT_H

/*
 * What the fuzz targets share: taking numbers off the input, and a bound on the time of each
 * call. The bound is on processor time, so that a loaded machine is no failure; a call that
 * sleeps too long is found by libFuzzer's -timeout.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALL_LIMIT_NS	UINT64_C(500000000)	/* of a call; on a bus of 64 events and with ASan */

struct input {
	const uint8_t *pos, *end;
};

/* @n bytes, little-endian; zeros behind the end. */
static inline uint64_t take(struct input *in, unsigned n)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < n && in->pos < in->end; i++)
		value |= (uint64_t)*in->pos++ << 8 * i;
	return value;
}

static inline uint8_t take_byte(struct input *in)
{
	return (uint8_t)take(in, 1);
}

static inline void broken(const char *what)
{
	fprintf(stderr, "failed: %s\n", what);
	abort();
}

static inline uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A call, which must be back in time. */
#define TIMED(call) do { \
		uint64_t began_ = cpu_ns(), took_; \
		\
		(void)(call); \
		took_ = cpu_ns() - began_; \
		if (took_ > CALL_LIMIT_NS) { \
			fprintf(stderr, "%" PRIu64 " ms: ", took_ / 1000000); \
			broken("time of " #call); \
		} \
	} while (0)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
