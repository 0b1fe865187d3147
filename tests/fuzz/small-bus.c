/* SPDX-License-Identifier: MIT */
#include "small-bus.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../shm/event.h"
#include "../../shm/layout-compute.h"
#include "../../shm/region.h"

#define MAX_EXTENTS	256u
#define MAX_REGIONS	64u
#define MEMORY_LIMIT	(UINT64_C(32) << 20)

int small_bus_fd = -1;
struct layout small_bus_layout;

struct extent {
	off_t offset;
	size_t size;
	unsigned char *bytes;
};

static struct extent extents[MAX_EXTENTS];
static unsigned n_extents;
static off_t file_size;

/* Where pokes go. */
static struct {
	uint64_t ring, slots;
	uint32_t depth;
	uint64_t ctl;			/* 0 if it has none */
} regions[MAX_REGIONS];
static unsigned n_regions;

static void must(int err, const char *what)
{
	if (err < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(-err));
		broken("building the bus");
	}
}

/* ---- building ------------------------------------------------------------------------- */

static struct aioevt_shm_event *open_event(struct aioevt_shm *bus, const char *name)
{
	struct aioevt_shm_event *event;

	must(aioevt_shm_event_open(bus, name, 0, &event), name);
	return event;
}

static void emit_some(struct aioevt_shm_event *event, unsigned n, size_t size)
{
	static unsigned char data[SMALL_PAYLOAD];

	memset(data, 'd', sizeof(data));
	for (unsigned i = 0; i < n; i++)
		must(aioevt_shm_emit(event, data, size, NULL), "emit");
}

static struct claim claim_one(struct aioevt_shm_event *event)
{
	struct claim claim;
	uint64_t old;

	do {
		must(ring_next(event->bus, event->ring, &claim, &old), "ring_next");
	} while (!ring_claim(event->ring, event->bus->port_index, &claim, old));
	return claim;
}

/* An event that is not finished, and a region that belongs to nobody. */
static void leave_unfinished(struct aioevt_shm *bus)
{
	uint32_t index = bus_events_used(bus);
	struct event *event = bus_event(bus, index);
	struct name name;
	uint64_t offset;

	must(name_pack("unfinished", &name), "name_pack");
	bus_raise(&bus->header->events_hw, index + 1);
	atomic_store(&event->state, event_word(1, bus->port_index, EVENT_NEW));
	for (unsigned i = 0; i < NAME_WORDS; i++)
		atomic_store(&event->name[i], name.words[i]);
	must(region_new(bus, 4096, &offset), "region_new");
}

/* Names shall stand in the same buckets each time. */
static void fix_hash_key(struct aioevt_shm *bus)
{
	static const uint64_t key[2] = { 1, 2 };

	memcpy(bus->lo.hash_key, key, sizeof(key));
	if (pwrite(bus->fd, key, sizeof(key), offsetof(struct bus_header, hash_key)) !=
	    sizeof(key))
		broken("writing the key");
}

/* What the killed process did. */
static void work(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm *bus;
	struct aioevt_shm_sub *sub;
	struct claim claim;
	uint64_t seq, state;
	char name[32];

	config.n_events = config.n_listeners = 64;
	config.depth = SMALL_DEPTH;
	config.max_payload = SMALL_PAYLOAD;
	config.ring_budget = 1 << 20;
	must(aioevt_shm_open(NULL, &config, 0, &bus), "open");
	fix_hash_key(bus);
	must(aioevt_shm_listener_new(bus, &listener), "listener");
	emit_some(open_event(bus, "lapped"), 21, 30);
	must(aioevt_shm_listen(listener, "lapped", 0, AIOEVT_SHM_FROM_LAST, 3, NULL), "listen");
	emit_some(open_event(bus, "reliable"), 4, 100);
	must(aioevt_shm_listen(listener, "reliable", AIOEVT_SHM_RELIABLE, AIOEVT_SHM_FROM_LAST,
			       2, NULL), "listen");
	event = open_event(bus, "large");
	emit_some(event, 5, 200);
	emit_some(event, 5, PAGE_BODY);
	event = open_event(bus, "grown");
	emit_some(event, 10, 8);
	must(aioevt_shm_event_grow(event, 16), "grow");
	emit_some(event, 20, 8);
	must(aioevt_shm_event_grow(event, 32), "grow");
	emit_some(event, 3, 300);
	event = open_event(bus, "torn");
	emit_some(event, 3, 8);
	claim = claim_one(event);
	(void)claim;
	emit_some(event, 2, 8);
	event = open_event(bus, "pinned");
	emit_some(event, 3, 8);
	claim = claim_one(event);
	seq = claim.seq;
	if (ring_look(event->ring, seq, &state) == LOOK_BUSY)
		ring_revoke(event->ring, seq, state, false);
	emit_some(event, 9, 8);
	emit_some(open_event(bus, "removed"), 3, 8);
	must(aioevt_shm_listen(listener, "removed", 0, AIOEVT_SHM_FROM_LAST, 9, &sub), "listen");
	must(aioevt_shm_event_remove(bus, "removed"), "remove");
	for (unsigned i = 0; i < N_PATTERN_EVENTS; i++) {
		snprintf(name, sizeof(name), "p.%u", i);
		event = open_event(bus, name);
		emit_some(event, i % 3, 16);
		aioevt_shm_event_close(event);
	}
	must(aioevt_shm_listen(listener, "x.*", 0, AIOEVT_SHM_FROM_NEW, 0, NULL), "pattern");
	leave_unfinished(bus);
	open_event(bus, "quiet");	/* the last of the table: nothing but zeros behind it */
}

static void find_regions(const unsigned char *base)
{
	for (uint32_t i = 0; i < small_bus_layout.n_events; i++) {
		struct event *event = (void *)(base + small_bus_layout.events +
					       (size_t)i * small_bus_layout.event_stride);

		for (unsigned k = 0; k < MAX_RINGS && n_regions < MAX_REGIONS; k++) {
			uint64_t word = load_ring(event, k), at = ring_offset(word);
			uint32_t depth = ring_depth(word);

			if (word <= RING_SEALED)
				break;
			regions[n_regions].ctl = k ? 0 : at;
			at += k ? 0 : small_bus_layout.ctl_size;
			regions[n_regions].ring = at;
			regions[n_regions].depth = depth;
			regions[n_regions++].slots = at +
				ring_region_size(&small_bus_layout, depth) -
				(uint64_t)depth * small_bus_layout.slot_size;
		}
	}
}

static void find_extents(void)
{
	off_t at = 0, end;

	while ((at = lseek(small_bus_fd, at, SEEK_DATA)) >= 0) {
		struct extent *e = &extents[n_extents++];

		end = lseek(small_bus_fd, at, SEEK_HOLE);
		if (end < 0 || n_extents == MAX_EXTENTS)
			broken("extents");
		e->offset = at;
		e->size = (size_t)(end - at);
		e->bytes = malloc(e->size);
		if (!e->bytes || pread(small_bus_fd, e->bytes, e->size, at) != (ssize_t)e->size)
			broken("reading the bus");
		at = end;
	}
}

static void make_directory(void)
{
	static char dir[64];

	snprintf(dir, sizeof(dir), "%s/aioevt-fuzz.XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!getenv("AIOEVT_FUZZ_DIR")) {	/* tests/fuzz/run removes its own */
		if (!mkdtemp(dir))
			broken("mkdtemp");
		setenv("AIOEVT_FUZZ_DIR", dir, 1);
	}
	setenv("AIOEVT_DIR", getenv("AIOEVT_FUZZ_DIR"), 1);
	snprintf(dir, sizeof(dir), "f%d", (int)getpid());
	setenv("AIOEVT_BUS", dir, 1);
}

static char path[256];

static void remove_file(void)
{
	unlink(path);
}

void small_bus_build(void)
{
	struct stat st;
	struct bus_header header;
	int status;
	pid_t pid;
	void *p;

	make_directory();
	pid = fork();
	if (!pid) {
		work();
		_exit(0);		/* nothing closed: as if killed */
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		broken("the process that builds the bus");
	if (aioevt_shm_path(NULL, path, sizeof(path)) < 0 ||
	    (small_bus_fd = open(path, O_RDWR | O_CLOEXEC)) < 0 ||
	    fstat(small_bus_fd, &st) < 0 ||
	    pread(small_bus_fd, &header, sizeof(header), 0) != sizeof(header) ||
	    layout_from_header(&header, &small_bus_layout) < 0)
		broken("opening the bus");
	atexit(remove_file);
	file_size = st.st_size;
	p = mmap(NULL, small_bus_layout.tables_end, PROT_READ, MAP_SHARED, small_bus_fd, 0);
	if (p == MAP_FAILED)
		broken("mapping the bus");
	find_regions(p);
	munmap(p, small_bus_layout.tables_end);
	find_extents();
}

void small_bus_restore(void)
{
	if (ftruncate(small_bus_fd, 0) < 0 || ftruncate(small_bus_fd, file_size) < 0 ||
	    fallocate(small_bus_fd, 0, 0, (off_t)small_bus_layout.tables_end) < 0)
		broken("truncating the bus");
	for (unsigned i = 0; i < n_extents; i++)
		if (pwrite(small_bus_fd, extents[i].bytes, extents[i].size, extents[i].offset) !=
		    (ssize_t)extents[i].size)
			broken("writing the bus");
}

void small_bus_check_memory(void)
{
	struct stat st;

	if (fstat(small_bus_fd, &st) < 0 || (uint64_t)st.st_blocks * 512 > MEMORY_LIMIT)
		broken("the file takes too much memory");
}

/* ---- pokes ------------------------------------------------------------------------------ */

/* A place that somebody reads: what kind, which, what word. */
static uint64_t place(struct input *in, unsigned n_kinds)
{
	const struct layout *lo = &small_bus_layout;
	uint8_t kind = take_byte(in), which = take_byte(in), word = take_byte(in);
	unsigned r = which % (n_regions ? n_regions : 1);

	switch (kind % n_kinds) {
	case 0:
		return word % (sizeof(struct bus_header) / 8) * 8;
	case 1:
		return lo->patterns;
	case 2:
		return lo->buckets + which % lo->n_buckets * sizeof(struct bucket) + word % 2 * 8;
	case 3:
		return lo->ports + which % lo->n_listeners * lo->port_stride +
		       word % (lo->port_stride / 8) * 8;
	case 4:
		return lo->listeners + which % lo->n_listeners * lo->listener_stride +
		       word % (lo->listener_stride / 8) * 8;
	case 5:
		return lo->events + which % lo->n_events * lo->event_stride +
		       word % (lo->event_stride / 8) * 8;
	case 6:				/* the head of a ring */
		return regions[r].ring + word % 32 * 8;
	case 7:				/* the first words of a slot */
		return regions[r].slots + word / 4 % regions[r].depth * lo->slot_size +
		       word % 4 * 8;
	case 8:				/* reliable readers */
		return regions[r].ctl ? regions[r].ctl + word % (lo->ctl_size / 8) * 8 :
		       regions[r].ring + word * 8;
	default:
		return (uint64_t)(which << 8 | word) * 8;
	}
}

static uint64_t load(uint64_t at)
{
	uint64_t value = 0;

	return pread(small_bus_fd, &value, 8, (off_t)at) == 8 ? value : 0;
}

static uint64_t special(uint8_t n)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 63, 64, 65, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
		1ull << 32, 1ull << 52, (1ull << 52) - 1, 1ull << 56, (1ull << 56) - 65536 + 3,
		1ull << 62, 1ull << 63, UINT64_MAX, UINT64_MAX - 1, 0x10000 | 20, 0x20000 | 3,
	};

	return values[n % (sizeof(values) / sizeof(values[0]))];
}

/* A slot's word near what it is: some lap, owner and phase. */
static uint64_t slot_like(uint64_t old, struct input *in)
{
	uint8_t lap = take_byte(in), port = take_byte(in), phase = take_byte(in);

	return slot_word(slot_lap(old) + (uint64_t)(int64_t)(int8_t)lap, port % 70, phase & 7,
			 phase & 8);
}

static void poke(struct input *in, unsigned n_kinds)
{
	uint64_t at = place(in, n_kinds), value = load(at);
	uint8_t how = take_byte(in);
	size_t size = 8;

	switch (how % 8) {
	case 0:
		value = take(in, 8);
		break;
	case 1:
		at += how >> 3 & 4;
		value = take(in, 4);
		size = 4;
		break;
	case 2:
		at += how >> 3 & 7;
		value = take(in, 1);
		size = 1;
		break;
	case 3:
		value += (uint64_t)(int64_t)(int8_t)take_byte(in);
		break;
	case 4:
		value = load(place(in, n_kinds));
		break;
	case 5:
		value = special(take_byte(in));
		break;
	case 6:
		value ^= UINT64_C(1) << take_byte(in) % 64;
		break;
	default:
		value = slot_like(value, in);
		break;
	}
	if (pwrite(small_bus_fd, &value, size, (off_t)at) != (ssize_t)size)
		broken("writing into the bus");
}

void small_bus_poke(struct input *in)
{
	poke(in, 10);
}

void small_bus_poke_tables(struct input *in)
{
	poke(in, 6);
}

/* ---- guards --------------------------------------------------------------------------- */

/*
 * Mappings of the file stand between pages that nobody may touch, so that what is read or
 * written over the end of one is seen. Linked with --wrap=mmap64,--wrap=munmap; mmap(2) is
 * mmap64 where offsets have 64 bits.
 */
#define GUARD		65536u
#define MAX_GUARDED	1024u

static void *guarded[MAX_GUARDED];

void *__real_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);

static size_t pages(size_t size)
{
	return (size + 4095) & ~(size_t)4095;
}

static void note_guarded(void *p)
{
	unsigned i = 0;

	while (i < MAX_GUARDED && guarded[i])
		i++;
	if (i == MAX_GUARDED)
		broken("mappings are left behind");
	guarded[i] = p;
}

void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	size_t whole = pages(size) + 2 * GUARD;
	unsigned char *p;
	void *q;

	if (!(flags & MAP_SHARED) || at)
		return __real_mmap64(at, size, prot, flags, fd, offset);
	p = __real_mmap64(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return MAP_FAILED;
	q = __real_mmap64(p + GUARD, size, prot, flags | MAP_FIXED, fd, offset);
	if (q == MAP_FAILED)
		__real_munmap(p, whole);
	else
		note_guarded(q);
	return q;
}

int __wrap_munmap(void *at, size_t size)
{
	for (unsigned i = 0; i < MAX_GUARDED; i++)
		if (at && guarded[i] == at) {
			guarded[i] = NULL;
			return __real_munmap((unsigned char *)at - GUARD, pages(size) + 2 * GUARD);
		}
	return __real_munmap(at, size);
}
