/* SPDX-License-Identifier: MIT */
/* Payloads of every size: intact, within the limit, their memory given back, full disks. */

#include "bus.h"

#include <sys/mount.h>

#define LARGEST		(16u << 20)

static unsigned char *out, *in;

/* A pattern that no other size or number has. */
static void fill(unsigned char *buf, size_t size, uint64_t seed)
{
	uint64_t state = seed * 2 + 1, word;

	for (size_t i = 0; i < size; i += sizeof(word)) {
		word = random_u64(&state);
		memcpy(buf + i, &word, size - i < sizeof(word) ? size - i : sizeof(word));
	}
}

static int emit_filled(struct aioevt_shm_event *event, size_t size, uint64_t seed)
{
	fill(out, size, seed);
	return aioevt_shm_emit(event, size ? out : NULL, size, NULL);
}

/* Read one and compare. */
static void check_read(struct aioevt_shm_sub *sub, size_t size, uint64_t seed)
{
	struct aioevt_shm_record record;

	memset(in, 0xee, size + 8 <= LARGEST ? size + 8 : size);
	check_eq(aioevt_shm_read(sub, &record, 1, in, size), 1);
	check_eq(record.size, size);
	check_eq(record.missed, 0);
	check(record.data == in);
	fill(out, size, seed);
	check_mem(in, size, out, size);
	if (size + 8 <= LARGEST)
		for (size_t i = size; i < size + 8; i++)
			check_eq(in[i], 0xee);
}

static void test_sizes(uint32_t inline_size)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 39, 40, 41, 103, 104, 105, 4095, 4096, 4097,
					65536, 1 << 20, LARGEST };
	const size_t n = sizeof(sizes) / sizeof(sizes[0]);
	struct aioevt_shm_config config = bus_config(64, 64, 8);
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_event *event;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm *bus;
	uint64_t seq;

	config.inline_size = inline_size;
	bus = bus_open(&config);
	event = event_of(bus, "sizes");
	listener = listener_of(bus);
	sub = sub_of(listener, "sizes", 0);
	for (size_t i = 0; i < n; i++) {
		check_eq(emit_filled(event, sizes[i], i), 0);
		check_read(sub, sizes[i], i);
	}
	/* one behind the other, in slots that held others before */
	for (size_t i = n; i < 6 * n; i++) {
		size_t a = sizes[i % (n - 1)], b = sizes[(i * 7 + 3) % (n - 2)];

		check_eq(emit_filled(event, a, i), 0);
		check_eq(emit_filled(event, b, i + 1000), 0);
		check_read(sub, a, i);
		check_read(sub, b, i + 1000);
	}
	seq = emit_u64(event, 1);
	check_eq(aioevt_shm_emit(event, out, LARGEST + 1, NULL), -EMSGSIZE);
	check_eq(aioevt_shm_emit(event, out, SIZE_MAX, NULL), -EMSGSIZE);
#if SIZE_MAX > UINT32_MAX
	check_eq(aioevt_shm_emit(event, out, UINT64_C(1) << 32, NULL), -EMSGSIZE);
#endif
	check_eq(emit_u64(event, 1), seq + 1);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_limit(void)
{
	static const uint32_t limits[] = { 1, 40, 1000, 4096 };
	struct aioevt_shm_config config = bus_config(64, 64, 8);

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct aioevt_shm_event *event;
		struct aioevt_shm *bus;

		config.max_payload = limits[i];
		bus = bus_open(&config);
		event = event_of(bus, "limit");
		check_eq(aioevt_shm_emit(event, out, limits[i], NULL), 0);
		check_eq(aioevt_shm_emit(event, out, limits[i] + 1, NULL), -EMSGSIZE);
		aioevt_shm_event_close(event);
		aioevt_shm_close(bus);
		check_eq(aioevt_shm_unlink(NULL), 0);
	}
}

static uint64_t memory_of(struct aioevt_shm *bus)
{
	struct aioevt_shm_info info;

	check_eq(aioevt_shm_get_info(bus, &info), 0);
	return info.memory;
}

static void test_memory_back(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "memory");
	uint64_t empty = memory_of(bus), full;

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 20; i++)
			check_eq(aioevt_shm_emit(event, out, 1 << 20, NULL), 0);
		full = memory_of(bus);
		check(full >= empty + (8 << 20));
		check(full <= empty + (10 << 20));
		for (uint64_t i = 0; i < 8; i++)
			emit_u64(event, i);
		check_eq(memory_of(bus), empty);
	}
	/* up to a page stays, for the next; never more than that */
	for (uint64_t i = 0; i < 100; i++)
		check_eq(aioevt_shm_emit(event, out, 4096, NULL), 0);
	check(memory_of(bus) <= empty + (8 + 64) * 4096);
	for (uint64_t i = 0; i < 8; i++)
		check_eq(aioevt_shm_emit(event, out, 1 << 20, NULL), 0);
	for (uint64_t i = 0; i < 8; i++)
		check_eq(aioevt_shm_emit(event, out, 200, NULL), 0);
	check(memory_of(bus) <= empty + (8 + 64) * 4096);
	/* a removed event gives back all it had */
	for (uint64_t i = 0; i < 8; i++)
		check_eq(aioevt_shm_emit(event, out, 1 << 20, NULL), 0);
	check_eq(aioevt_shm_event_grow(event, 64), 0);
	check_eq(aioevt_shm_emit(event, out, 1 << 20, NULL), 0);
	aioevt_shm_event_close(event);
	check_eq(aioevt_shm_event_remove(bus, "memory"), 0);
	check(memory_of(bus) < empty);
	event = event_of(bus, "memory");
	check_eq(memory_of(bus), empty);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* -ENOBUFS needs more stopped emitters than there are ports: never seen in normal use. */
static void test_bodies_suffice(void)
{
	struct aioevt_shm *bus = bus_small(8);
	struct aioevt_shm_event *event = event_of(bus, "bodies");
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "bodies", AIOEVT_SHM_RELIABLE);
	uint64_t seed = 5, memory;

	/* refused ones give theirs back, too */
	for (uint64_t i = 0; i < 8; i++)
		check_eq(emit_filled(event, 5000, i), 0);
	memory = memory_of(bus);
	for (int i = 0; i < 500; i++)
		check_eq(aioevt_shm_emit(event, out, 5000, NULL), -EAGAIN);
	check_eq(memory_of(bus), memory);
	for (uint64_t i = 0; i < 8; i++)
		check_read(sub, 5000, i);
	aioevt_shm_sub_close(sub);
	for (int i = 0; i < 3000; i++) {
		size_t size = random_u64(&seed) % 3 ? 200 : random_u64(&seed) % 9000;

		check_eq(aioevt_shm_emit(event, out, size, NULL), 0);
	}
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- a file system of 8 MB ------------------------------------------------------------------ */

static void on_full_disk(void)
{
	struct aioevt_shm_config config = bus_config(256, 64, 1024);
	struct aioevt_shm_event *event, *held[256], *more = NULL;
	struct aioevt_shm *bus, *none = NULL;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
	char name[32];
	unsigned n_held;
	int err;

	/* the file system is the limit, and not what a bus may take of it by default */
	config.ring_budget = config.large_budget = UINT64_C(64) << 20;
	/* too small for a bus of that many events: nothing stays behind */
	check_eq(aioevt_shm_open(NULL, &(struct aioevt_shm_config){ sizeof(config), 32768,
			8192, 0, 0, 0, 0, 0, 0 }, 0, &none), -ENOSPC);
	bus = bus_open(&config);
	event = event_of(bus, "held");
	emit_u64(event, 1);

	/* idle events go for new ones, and for large payloads */
	for (unsigned i = 0; i < 200; i++) {
		sprintf(name, "idle.%u", i);
		aioevt_shm_event_close(event_of(bus, name));
	}
	listener = listener_of(bus);
	sub = sub_of(listener, "held", 0);
	check_eq(emit_filled(event, 1 << 20, 1), 0);
	check_eq(emit_filled(event, 1 << 20, 2), 0);
	check_read(sub, 1 << 20, 1);
	check_read(sub, 1 << 20, 2);

	/* all are open */
	for (n_held = 0; n_held < 256; n_held++) {
		sprintf(name, "open.%u", n_held);
		err = aioevt_shm_event_open(bus, name, 0, &held[n_held]);
		if (err < 0)
			break;
	}
	check_eq(err, -ENOSPC);
	check(n_held > 5);
	check_eq(aioevt_shm_event_open(bus, "more", 0, &more), -ENOSPC);
	check_eq(aioevt_shm_event_grow(event, 8192), -ENOSPC);
	check_eq(emit_filled(event, 1 << 20, 3), -ENOSPC);
	check_eq(emit_filled(event, 100, 3), 0);
	check_read(sub, 100, 3);
	/* and again when there is room */
	for (unsigned i = 0; i < n_held; i++)
		aioevt_shm_event_close(held[i]);
	check_eq(emit_filled(event, 1 << 20, 4), 0);
	check_read(sub, 1 << 20, 4);
	check_eq(aioevt_shm_event_grow(event, 8192), 0);
	emit_u64(event, 5);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static char dir[sizeof(bus_dir) + 8];

static void unmount(void)
{
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}

static int test_full_disk(void)
{
	snprintf(dir, sizeof(dir), "%s/small", bus_dir);
	check_eq(mkdir(dir, 0700), 0);
	if (mount("tmpfs", dir, "tmpfs", 0, "size=8m") < 0) {
		fprintf(stderr, "a full file system is not tested: mount: %s\n",
			strerror(errno));
		rmdir(dir);
		return SKIP;
	}
	atexit(unmount);
	setenv("AIOEVT_DIR", dir, 1);
	on_full_disk();
	setenv("AIOEVT_DIR", bus_dir, 1);
	check_eq(umount(dir), 0);
	return 0;
}

int main(void)
{
	int skip;

	bus_begin();
	alarm(60);
	out = malloc(LARGEST + 8);
	in = malloc(LARGEST + 8);
	check(out && in);
	test_sizes(0);
	test_sizes(40);
	test_limit();
	test_bodies_suffice();
	skip = test_full_disk();
	test_memory_back();
	free(out);
	free(in);
	return bus_end() ? 1 : skip;
}
