/* SPDX-License-Identifier: MIT */
/*
 * Opening a file of which everything but the name is the input's: the header's fields, then
 * words anywhere in the tables. The header is signed if the input says so, because who
 * scribbles on purpose can do that. What opens is looked at and emitted to.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "input.h"
#include "aioevt-shm.h"
#include "../../shm/layout-compute.h"

#define MAX_TABLES	(UINT64_C(8) << 20)	/* larger ones are left as they are refused */

static char path[256];
static int fd;

static void remove_file(void)
{
	unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char dir[] = "/dev/shm/aioevt-fuzz.XXXXXX", name[32];

	(void)argc, (void)argv;
	if (!getenv("AIOEVT_FUZZ_DIR")) {
		if (!mkdtemp(dir))
			broken("mkdtemp");
		setenv("AIOEVT_FUZZ_DIR", dir, 1);
	}
	setenv("AIOEVT_DIR", getenv("AIOEVT_FUZZ_DIR"), 1);
	snprintf(name, sizeof(name), "a%d", (int)getpid());
	setenv("AIOEVT_BUS", name, 1);
	if (aioevt_shm_path(NULL, path, sizeof(path)) < 0)
		broken("aioevt_shm_path");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		broken("creating the file");
	atexit(remove_file);
	return 0;
}

/* A header that would be accepted, unless the input makes it something else. */
static struct bus_header make_header(struct input *in, struct layout *ret_layout)
{
	struct bus_header h;
	struct layout lo;
	uint8_t how = take_byte(in), n_fields = take_byte(in) % 16;
	struct aioevt_shm_config config = {
		.size = sizeof(config),
		.n_events = 64u << (how & 1), .n_listeners = 64u << (how >> 1 & 1),
		.depth = 8u << (how >> 2 & 3), .inline_size = how & 16 ? 40 : 104,
		.max_payload = how & 32 ? 4096 : 100000, .ring_budget = 1u << 20,
	};

	layout_from_config(&config, &lo);
	h = (struct bus_header){
		.magic = BUS_MAGIC, .version = BUS_VERSION, .n_events = lo.n_events,
		.n_listeners = lo.n_listeners, .depth = lo.depth, .slot_size = lo.slot_size,
		.max_payload = lo.max_payload, .ring_budget = lo.ring_budget,
		.large_budget = lo.large_budget, .signature = lo.signature,
		.region_end = lo.tables_end, .body_end = BODY_BASE,
	};
	for (unsigned i = 0; i < n_fields; i++) {
		uint8_t at = take_byte(in), size = at & 128 ? 4 : 8;
		uint64_t value = take(in, at & 64 ? 2 : size);

		memcpy((unsigned char *)&h + at % 32 * 8 + (at & 32 && size == 4 ? 4 : 0),
		       &value, size);
	}
	if (how & 64) {			/* sign it as it is now */
		config = (struct aioevt_shm_config){
			.size = sizeof(config), .n_events = h.n_events % (MAX_EVENTS + 1),
			.n_listeners = h.n_listeners % (MAX_LISTENERS + 1),
			.depth = h.depth % (MAX_DEPTH + 1), .ring_budget = h.ring_budget,
			.inline_size = h.slot_size % MAX_SLOT - (uint32_t)sizeof(struct slot),
			.max_payload = h.max_payload % (AIOEVT_SHM_PAYLOAD_MAX + 1),
		};
		layout_from_config(&config, &lo);
		h.signature = lo.signature;
	}
	*ret_layout = lo;
	return h;
}

static void make_file(struct input *in)
{
	struct layout lo;
	struct bus_header h = make_header(in, &lo);
	uint64_t size = lo.tables_end < MAX_TABLES ? lo.tables_end : MAX_TABLES;

	if (ftruncate(fd, 0) < 0 || fallocate(fd, 0, 0, (off_t)size) < 0 ||
	    pwrite(fd, &h, sizeof(h), 0) != sizeof(h))
		broken("writing the file");
	for (unsigned i = 0; in->pos < in->end && i < 64; i++) {
		uint64_t at = take(in, 3) * 8 % size, value = take(in, 8);

		if (at >= sizeof(h) && pwrite(fd, &value, 8, (off_t)at) != 8)
			broken("writing the file");
	}
}

static void use(struct aioevt_shm *bus)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	struct aioevt_shm_listener *listener = NULL;
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_info info;
	uint32_t walk = 0;

	TIMED(aioevt_shm_get_info(bus, &info));
	while (aioevt_shm_event_next(bus, &walk, name) == 1)
		;
	TIMED(aioevt_shm_event_open(bus, "e", 0, &event));
	TIMED(aioevt_shm_listener_new(bus, &listener));
	if (listener) {
		TIMED(aioevt_shm_listen(listener, ">", 0, AIOEVT_SHM_FROM_LAST, 1, &sub));
		TIMED(aioevt_shm_listen(listener, "e", 0, AIOEVT_SHM_FROM_LAST, 1, &sub));
	}
	if (event) {
		TIMED(aioevt_shm_emit(event, "x", 1, NULL));
		TIMED(aioevt_shm_emit(event, path, sizeof(path), NULL));
	}
	if (listener)
		TIMED(aioevt_shm_wait(listener, 0, &sub));
	TIMED(aioevt_shm_event_close(event));
	TIMED(aioevt_shm_listener_free(listener));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input in = { bytes, bytes + size };
	struct aioevt_shm *bus = NULL;
	int err = -1;

	make_file(&in);
	TIMED(err = aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &bus));
	if (err < 0)
		return 0;
	use(bus);
	aioevt_shm_close(bus);
	return 0;
}
