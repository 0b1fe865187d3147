/* SPDX-License-Identifier: MIT */
/* Reading back: from a number, the last n, a time; across growth; what is missed; batches. */

#include "bus.h"

static struct aioevt_shm *bus;
static struct aioevt_shm_event *event;
static struct aioevt_shm_listener *listener;

static void begin(uint32_t depth)
{
	bus = bus_small(depth);
	event = event_of(bus, "from");
	listener = listener_of(bus);
}

static void end(void)
{
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void emit_many(unsigned n)
{
	struct aioevt_shm_event_info info;

	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	for (uint64_t seq = info.last_seq + 1; n--; seq++)
		check_eq(emit_u64(event, seq), seq);
}

static struct aioevt_shm_sub *sub_from(enum aioevt_shm_from from, uint64_t value)
{
	struct aioevt_shm_sub *sub = NULL;

	check_eq(aioevt_shm_listen(listener, "from", 0, from, value, &sub), 0);
	return sub;
}

/* The next is @seq, with @missed before it. */
static void check_next(struct aioevt_shm_sub *sub, uint64_t seq, uint64_t missed)
{
	struct aioevt_shm_record record;
	uint64_t value = 0;

	check_eq(read_u64(sub, &record, &value), 1);
	check_eq(record.seq, seq);
	check_eq(value, seq);
	check_eq(record.missed, missed);
}

/* From @first to @last, all of them, then nothing; and ends the sub. */
static void check_all(struct aioevt_shm_sub *sub, uint64_t first, uint64_t last,
		      uint64_t missed)
{
	struct aioevt_shm_record record;
	uint64_t value;

	for (uint64_t seq = first; seq <= last; seq++, missed = 0)
		check_next(sub, seq, missed);
	check_eq(read_u64(sub, &record, &value), 0);
	aioevt_shm_sub_close(sub);
}

static void test_new_seq_last(void)
{
	struct aioevt_shm_sub *sub;

	begin(8);
	check_all(sub_from(AIOEVT_SHM_FROM_NEW, 0), 1, 0, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 3), 1, 0, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 1), 1, 0, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_TIME, 0), 1, 0, 0);
	emit_many(5);
	check_all(sub_from(AIOEVT_SHM_FROM_NEW, 0), 6, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 0), 1, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 1), 1, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 4), 4, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 6), 6, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 0), 6, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 1), 5, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 5), 1, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 100), 1, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, UINT64_MAX), 1, 5, 0);
	sub = sub_from(AIOEVT_SHM_FROM_LAST, 2);
	emit_many(1);
	check_all(sub, 4, 6, 0);

	/* overtaken: 8 are held */
	emit_many(14);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 1), 13, 20, 12);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 12), 13, 20, 1);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 13), 13, 20, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 8), 13, 20, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 50), 13, 20, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_TIME, 0), 13, 20, 0);
	end();
}

static void test_overtaken(void)
{
	struct aioevt_shm_sub *sub;

	begin(8);
	sub = sub_from(AIOEVT_SHM_FROM_NEW, 0);
	emit_many(3);
	check_next(sub, 1, 0);
	emit_many(5);			/* 8: none lost yet */
	check_next(sub, 2, 0);
	emit_many(3);			/* 4..11 are held */
	check_next(sub, 4, 1);
	emit_many(100);			/* 104..111 */
	check_next(sub, 104, 99);
	check_next(sub, 105, 0);
	check_all(sub, 106, 111, 0);
	end();
}

static void test_refused(void)
{
	struct aioevt_shm_sub *sub = NULL;

	begin(8);
	check_eq(aioevt_shm_listen(listener, "from", 0, AIOEVT_SHM_FROM_SEQ, UINT64_MAX, &sub),
		 -EINVAL);
	check_eq(aioevt_shm_listen(listener, "from", 1u << 20, AIOEVT_SHM_FROM_NEW, 0, &sub),
		 -EINVAL);
	check_eq(aioevt_shm_listen(listener, "from", 0, (enum aioevt_shm_from)4, 0, &sub),
		 -EINVAL);
	check_eq(aioevt_shm_listen(listener, "from", 0, (enum aioevt_shm_from)100, 0, &sub),
		 -EINVAL);
	check(!sub);
	sub = sub_from(AIOEVT_SHM_FROM_NEW, 0);
	check_eq(aioevt_shm_listen(listener, "from", 0, AIOEVT_SHM_FROM_NEW, 0, &sub),
		 -EEXIST);
	end();
}

static uint64_t real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void test_time(void)
{
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub;
	uint64_t value, before = real_ns(), middle;

	begin(8);
	emit_many(3);
	pass_ms(40);			/* some ticks of the coarse clock */
	middle = real_ns();
	pass_ms(40);
	emit_many(2);
	check_all(sub_from(AIOEVT_SHM_FROM_TIME, before), 1, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_TIME, middle), 4, 5, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_TIME, real_ns() + 1000 * MS), 6, 5, 0);
	check_eq(aioevt_shm_event_grow(event, 16), 0);
	emit_many(1);
	check_all(sub_from(AIOEVT_SHM_FROM_TIME, before), 1, 6, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_TIME, middle), 4, 6, 0);
	sub = sub_from(AIOEVT_SHM_FROM_LAST, 1);
	check_eq(read_u64(sub, &record, &value), 1);
	check(record.time + 20 * MS >= middle + 40 * MS && record.time <= real_ns());
	end();
}

/* Three rings behind one another: 8, 16 and 64 deep. */
static void test_growth(void)
{
	struct aioevt_shm_event_info info;
	struct aioevt_shm_sub *sub;

	begin(8);
	sub = sub_from(AIOEVT_SHM_FROM_NEW, 0);
	emit_many(5);
	check_eq(aioevt_shm_event_grow(event, 9), 0);
	emit_many(10);
	check_eq(aioevt_shm_event_grow(event, 64), 0);
	check_eq(aioevt_shm_event_grow(event, 64), 0);
	check_eq(aioevt_shm_event_grow(event, 8), 0);
	check_eq(aioevt_shm_event_grow(event, 1048577), -EINVAL);
	emit_many(10);
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.depth, 64);
	check_eq(info.n_records, 25);
	check_eq(info.last_seq, 25);
	check_eq(info.n_listeners, 1);
	check_all(sub, 1, 25, 0);
	for (uint64_t seq = 1; seq <= 26; seq++)
		check_all(sub_from(AIOEVT_SHM_FROM_SEQ, seq), seq, 25, 0);
	for (uint64_t n = 0; n <= 25; n++)
		check_all(sub_from(AIOEVT_SHM_FROM_LAST, n), 26 - n, 25, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_TIME, 0), 1, 25, 0);
	emit_many(64);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 60), 30, 89, 0);
	check_all(sub_from(AIOEVT_SHM_FROM_LAST, 64), 26, 89, 0);
	/* 16 to 25 are lost in the newest ring, 1 to 15 are kept in the old ones */
	sub = sub_from(AIOEVT_SHM_FROM_SEQ, 1);
	for (uint64_t seq = 1; seq <= 15; seq++)
		check_next(sub, seq, 0);
	check_all(sub, 26, 89, 10);
	end();
}

static void test_growth_limit(void)
{
	uint32_t depth = 8;

	begin(8);
	emit_many(1);
	for (int i = 0; i < 7; i++) {
		check_eq(aioevt_shm_event_grow(event, depth *= 2), 0);
		emit_many(1);
	}
	check_eq(aioevt_shm_event_grow(event, depth * 2), -EOVERFLOW);
	emit_many(1);
	check_all(sub_from(AIOEVT_SHM_FROM_SEQ, 1), 1, 9, 0);
	end();
}

/* The ring is closed when the reader is @behind records behind. */
static void test_growth_overtaken(unsigned behind)
{
	uint64_t held = behind < 8 ? behind : 8;	/* closing takes the place of none */
	struct aioevt_shm_sub *sub;

	fprintf(stderr, "grown %u behind\n", behind);
	begin(8);
	sub = sub_from(AIOEVT_SHM_FROM_NEW, 0);
	emit_many(behind);
	check_eq(aioevt_shm_event_grow(event, 16), 0);
	emit_many(3);
	check_all(sub, behind - held + 1, behind + 3, behind - held);
	end();
}

/* A number that is still to come, with what may happen before it comes. */
/* Removed twice before the reader looks: the gap is below what it wants, so nothing is missed. */
static void test_future_gap(void)
{
	struct aioevt_shm_sub *sub;

	begin(8);
	sub = sub_from(AIOEVT_SHM_FROM_SEQ, 101);
	emit_many(3);
	check_eq(aioevt_shm_event_remove(bus, "from"), 0);
	emit_many(20);
	check_eq(aioevt_shm_event_remove(bus, "from"), 0);
	while (emit_u64(event, 0) < 100)
		;
	check_eq(emit_u64(event, 101), 101);
	check_all(sub, 101, 101, 0);
	end();
}

static void test_future(bool grow, bool remove)
{
	struct aioevt_shm_sub *sub, *got = NULL;

	fprintf(stderr, "future%s%s\n", grow ? ", grown" : "", remove ? ", removed" : "");
	begin(8);
	emit_many(2);
	sub = sub_from(AIOEVT_SHM_FROM_SEQ, 21);
	emit_many(3);
	if (grow)
		check_eq(aioevt_shm_event_grow(event, 64), 0);
	if (remove)
		check_eq(aioevt_shm_event_remove(bus, "from"), 0);
	for (uint64_t seq = 6; seq <= 20; seq++) {
		check_eq(emit_u64(event, seq), seq);
		check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
	}
	check_eq(emit_u64(event, 21), 21);
	check_eq(aioevt_shm_wait(listener, 0, &got), 0);
	emit_many(1);
	check_all(sub, 21, 22, 0);
	end();
}

static void test_batches(void)
{
	struct aioevt_shm_record records[20];
	struct aioevt_shm_sub *sub;
	uint64_t buf[64];
	char text[32];

	begin(16);
	sub = sub_from(AIOEVT_SHM_FROM_NEW, 0);
	check_eq(aioevt_shm_read(sub, records, 20, buf, sizeof(buf)), 0);
	for (unsigned i = 0; i < 10; i++) {
		memset(text, 'a' + (int)i, sizeof(text));
		check_eq(aioevt_shm_emit(event, text, i, NULL), 0);
	}
	check_eq(aioevt_shm_read(sub, records, 0, buf, sizeof(buf)), 0);
	check_eq(aioevt_shm_read(sub, records, 4, buf, sizeof(buf)), 4);
	check_eq(records[3].seq, 4);
	check_eq(records[3].size, 3);
	check_mem(records[3].data, 3, "ddd", 3);
	/* as many as fit: of 4, 5, 6, ... bytes, each at the next multiple of 8 */
	check_eq(aioevt_shm_read(sub, records, 20, buf, 8 + 8 + 6), 3);
	check_eq(records[2].seq, 7);
	check_mem(records[2].data, 6, "gggggg", 6);
	for (unsigned i = 0; i < 3; i++)
		check_eq((uintptr_t)records[i].data % 8, 0);
	check_eq(aioevt_shm_read(sub, records, 20, buf, 6), -ENOBUFS);
	check_eq(records[0].size, 7);
	check_eq(aioevt_shm_read(sub, records, 20, NULL, 0), -ENOBUFS);
	check_eq(records[0].size, 7);
	check_eq(aioevt_shm_read(sub, records, 20, buf, 7), 1);
	check_eq(records[0].seq, 8);
	check_eq(aioevt_shm_read(sub, records, 20, buf, sizeof(buf)), 2);
	check_eq(aioevt_shm_read(sub, records, 20, buf, sizeof(buf)), 0);
	/* nothing at all needs no room */
	check_eq(aioevt_shm_emit(event, NULL, 0, NULL), 0);
	check_eq(aioevt_shm_read(sub, records, 20, NULL, 0), 1);
	check_eq(records[0].size, 0);
	/* the overtaken one tells it with the first of the batch only */
	emit_many(20);
	check_eq(aioevt_shm_read(sub, records, 20, buf, sizeof(buf)), 16);
	check_eq(records[0].missed, 4);
	check_eq(records[1].missed, 0);
	check_eq(records[15].seq, 31);
	/* what did not fit is missed like any other when it is overtaken after all */
	emit_many(1);
	check_eq(aioevt_shm_read(sub, records, 20, buf, 3), -ENOBUFS);
	emit_many(20);
	check_eq(aioevt_shm_read(sub, records, 1, buf, sizeof(buf)), 1);
	check_eq(records[0].missed, 5);
	end();
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_new_seq_last();
	test_overtaken();
	test_refused();
	test_time();
	test_growth();
	test_growth_limit();
	test_batches();
	test_growth_overtaken(7);
	test_growth_overtaken(8);
	test_growth_overtaken(9);
	test_growth_overtaken(30);
	test_future(false, false);
	test_future(true, false);
	test_future(false, true);
	test_future_gap();
	return bus_end();
}
