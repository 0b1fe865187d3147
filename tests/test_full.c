/* SPDX-License-Identifier: MIT */
/* A tmpfs that is full at every point: -ENOSPC, no SIGBUS, nothing lost, all given back. */

#include "ns.h"

#include <limits.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "../shm/bus.h"

#define PAGE		4096u
#define LARGEST		200000u
#define MAX_ACCEPTED	8u

static char small_dir[sizeof(bus_dir) + 8], filler[sizeof(small_dir) + 16];
static unsigned char out[LARGEST], in[LARGEST + 8];

/* ---- a file system with so many free pages ---------------------------------------------------- */

static uint64_t free_pages(void)
{
	struct statvfs st;

	check_eq(statvfs(small_dir, &st), 0);
	return st.f_bfree * st.f_frsize / PAGE;
}

/* Leave exactly @k pages, or what is free at most. */
static void leave(uint64_t k)
{
	int fd = open(filler, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t left;
	struct stat st;

	check(fd >= 0);
	check_eq(fstat(fd, &st), 0);
	left = free_pages();
	if (left > k)
		check_eq(fallocate(fd, 0, st.st_size, (off_t)((left - k) * PAGE)), 0);
	else if (left < k && (uint64_t)st.st_size > (k - left) * PAGE)
		check_eq(ftruncate(fd, st.st_size - (off_t)((k - left) * PAGE)), 0);
	else
		check_eq(left, k);
	close(fd);
	check_eq(free_pages(), k);
}

static void leave_all(void)
{
	check(!unlink(filler) || errno == ENOENT);
}

static void mount_small(unsigned mib)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%um", mib);
	check_eq(mount("tmpfs", small_dir, "tmpfs", 0, options), 0);
}

/* ---- the scenario ---------------------------------------------------------------------------------- */

struct run {
	struct aioevt_shm *bus;
	struct aioevt_shm_event *a, *b;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
	struct {
		uint32_t size;
		uint64_t seed;
	} accepted[MAX_ACCEPTED];
	unsigned n_accepted;
	uint64_t seed;
};

static uint64_t memory_of(struct aioevt_shm *bus)
{
	struct aioevt_shm_info info;

	check_eq(aioevt_shm_get_info(bus, &info), 0);
	return info.memory;
}

/* Each size has its content. */
static void fill(uint32_t size, uint64_t seed)
{
	uint64_t state = seed * 2 + 1;

	for (uint32_t i = 0; i < size; i += 8) {
		uint64_t word = random_u64(&state);

		memcpy(out + i, &word, size - i < 8 ? size - i : 8);
	}
}

static int emit(struct run *run, uint32_t size)
{
	uint64_t memory;
	int err;

	if (!run->a)
		return -ENOSPC;
	fill(size, ++run->seed);
	memory = memory_of(run->bus);
	err = aioevt_shm_emit(run->a, out, size, NULL);
	check(!err || memory_of(run->bus) == memory);	/* what is refused leaves nothing */
	if (!err && run->sub) {
		check(run->n_accepted < MAX_ACCEPTED);
		run->accepted[run->n_accepted].size = size;
		run->accepted[run->n_accepted++].seed = run->seed;
	}
	return err;
}

static int open_bus(struct run *run)
{
	struct aioevt_shm_config config = bus_config(64, 64, 8);

	return aioevt_shm_open(NULL, &config, 0, &run->bus);
}

static int open_a(struct run *run)
{
	return run->bus ? aioevt_shm_event_open(run->bus, "a", 0, &run->a) : -ENOSPC;
}

static int open_b(struct run *run)
{
	return run->bus ? aioevt_shm_event_open(run->bus, "b", 0, &run->b) : -ENOSPC;
}

static int listen_to_a(struct run *run)
{
	int err;

	if (!run->bus)
		return -ENOSPC;
	err = aioevt_shm_listener_new(run->bus, &run->listener);
	check_eq(err, 0);
	return aioevt_shm_listen(run->listener, "a", AIOEVT_SHM_RELIABLE, AIOEVT_SHM_FROM_NEW, 0,
				 &run->sub);
}

static int emit_8(struct run *run)
{
	int err = emit(run, 8);

	check(err == 0 || !run->a);	/* needs no memory */
	return err;
}

static int emit_page(struct run *run)
{
	return emit(run, 3000);
}

static int emit_pages(struct run *run)
{
	return emit(run, 3 * PAGE);
}

static int emit_largest(struct run *run)
{
	return emit(run, LARGEST);
}

static int grow(struct run *run)
{
	return run->a ? aioevt_shm_event_grow(run->a, 256) : -ENOSPC;
}

/* An event that goes while it is open, and is made anew by its next emit. */
static int renew_b(struct run *run)
{
	int err;

	if (!run->b)
		return -ENOSPC;
	err = aioevt_shm_event_remove(run->bus, "b");
	check(!err || err == -ENOENT);	/* it could not be made anew the last time */
	return aioevt_shm_emit(run->b, "x", 1, NULL);
}

/* What needs no memory works, however full it is. */
static int look(struct run *run)
{
	struct aioevt_shm_event_info event_info;
	struct aioevt_shm_info info;
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;

	if (!run->bus)
		return -ENOSPC;
	check_eq(aioevt_shm_get_info(run->bus, &info), 0);
	if (run->a)
		check_eq(aioevt_shm_event_get_info(run->a, &event_info), 0);
	while (aioevt_shm_event_next(run->bus, &walk, name) == 1)
		;
	return 0;
}

static int (*const steps[])(struct run *run) = {
	open_bus, open_a, listen_to_a, emit_8, emit_page, emit_pages, look, open_b, emit_largest,
	grow, emit_pages, renew_b, emit_8, look,
};

#define N_STEPS	((unsigned)(sizeof(steps) / sizeof(steps[0])))

/* All that was accepted is there, in order. */
static void read_accepted(struct run *run)
{
	struct aioevt_shm_record record;

	for (unsigned i = 0; run->sub && i < run->n_accepted; i++) {
		check_eq(aioevt_shm_read(run->sub, &record, 1, in, sizeof(in)), 1);
		check_eq(record.missed, 0);
		fill(run->accepted[i].size, run->accepted[i].seed);
		check_mem(in, record.size, out, run->accepted[i].size);
	}
	if (run->sub)
		check_eq(aioevt_shm_read(run->sub, &record, 1, in, sizeof(in)), 0);
	run->n_accepted = 0;
}

static void close_all(struct run *run)
{
	struct aioevt_shm_info info;

	aioevt_shm_listener_free(run->listener);
	aioevt_shm_event_close(run->a);
	aioevt_shm_event_close(run->b);
	if (!run->bus)
		return;
	aioevt_shm_event_remove(run->bus, "a");
	aioevt_shm_event_remove(run->bus, "b");
	check_eq(aioevt_shm_get_info(run->bus, &info), 0);
	check_eq(info.events_used, 0);
	check_eq(info.memory, run->bus->lo.tables_end);	/* and no more */
	aioevt_shm_close(run->bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* From step @from on there are @k free pages. Returns how many steps were refused. */
static unsigned run_with(unsigned from, uint64_t k)
{
	struct run run = { .seed = k * 1000 };
	unsigned n_refused = 0;

	for (unsigned i = 0; i < N_STEPS; i++) {
		int err;

		if (i == from)
			leave(k);
		err = steps[i](&run);
		if (err && err != -ENOSPC)
			fprintf(stderr, "step %u from %u with %" PRIu64 " pages: %d\n", i, from, k,
				err);
		check(!err || err == -ENOSPC);
		check(!err || i >= from);
		n_refused += err != 0;
	}
	read_accepted(&run);
	leave_all();
	/* with room again, whatever was refused works */
	for (unsigned i = 0; i < N_STEPS; i++) {
		bool is_done = (steps[i] == open_bus && run.bus) || (steps[i] == open_a && run.a) ||
			       (steps[i] == open_b && run.b) ||
			       (steps[i] == listen_to_a && run.sub);

		if (steps[i] == listen_to_a && run.listener && !run.sub)
			run.listener = aioevt_shm_listener_free(run.listener);
		if (!is_done)
			check_eq(steps[i](&run), 0);
	}
	read_accepted(&run);
	close_all(&run);
	return n_refused;
}

/* For each k from 0, by @stride, until nothing is refused any more. */
static void test_from(unsigned from, unsigned stride)
{
	uint64_t k = 0;
	unsigned n_refused, before = N_STEPS;

	do {
		n_refused = run_with(from, k);
		k += stride;
		check(n_refused <= before + 2);	/* a small one may take what a large one lacks */
		before = n_refused;
	} while (n_refused);
	fprintf(stderr, "step %u: %" PRIu64 " pages suffice\n", from, k - stride);
	check(k - stride < 120);
}

/* ---- the program --------------------------------------------------------------------------------------- */

static char output[4096];

/* Returns the exit status. */
static int run_program(const char *args)
{
	char path[PATH_MAX], command[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 20);
	size_t len;
	FILE *pipe;
	int status;

	check(n > 0);
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/../aioevt");
	if (access(path, X_OK))
		return -1;
	snprintf(command, sizeof(command), "exec timeout -s KILL 20 '%s' %s 2>&1", path, args);
	pipe = popen(command, "re");
	check(pipe != NULL);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	status = pclose(pipe);
	check(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Done, or refused with the cause on one line. Returns whether it was done. */
static bool is_done_or_full(const char *args)
{
	int status = run_program(args);

	if (status <= 0)
		return true;
	if (status != 1 || strncmp(output, "aioevt: ", 8) || !strstr(output, small_dir) ||
	    !(strstr(output, "No space left") || strstr(output, "no space")))
		fprintf(stderr, "aioevt %s: status %d, %s\n", args, status, output);
	check_eq(status, 1);
	check(strstr(output, small_dir) != NULL);
	check(strstr(output, "No space left") || strstr(output, "no space"));
	return false;
}

/* Around the pages that a bus of its own takes. */
static void test_program(void)
{
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;
	char large[400], args[512];
	uint64_t k, n_pages;

	memset(large, 'l', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	snprintf(args, sizeof(args), "emit large %s", large);
	bus = bus_open(NULL);
	n_pages = bus->lo.tables_end / PAGE;
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	for (unsigned i = 0; i < 15; i++) {
		k = i < 2 ? i * n_pages / 2 : n_pages - 6 + i * 5;
		leave(k);
		is_done_or_full("emit small 1");
		is_done_or_full(args);
		is_done_or_full("emit small 2");
		if (access(bus_path(), F_OK)) {
			leave_all();
			continue;
		}
		check_eq(run_program("list"), 0);
		leave_all();
		check_eq(aioevt_shm_unlink(NULL), 0);
	}
	/* What was accepted before it was full is there when it is, and is not given for new. */
	bus = bus_open(NULL);
	event = event_of(bus, "kept");
	check_eq(run_program("emit kept 1"), 0);
	leave(0);
	check(!is_done_or_full("emit new"));
	check(!is_done_or_full("wait new --timeout 0"));
	snprintf(args, sizeof(args), "emit kept %s", large);
	check(!is_done_or_full(args));
	check_eq(run_program("emit kept 2"), 0);
	check_eq(run_program("wait kept --after 0 --timeout 0"), 0);
	check_str(output, "1\n");
	check_eq(run_program("wait kept --after 1 --timeout 0"), 0);
	check_str(output, "2\n");
	leave_all();
	check_eq(run_program("emit new"), 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void unmount(void)
{
	umount2(small_dir, MNT_DETACH);
	rmdir(small_dir);
}

int main(void)
{
	bus_begin();
	alarm(110);
	ns_enter(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0), geteuid());
	check_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	snprintf(small_dir, sizeof(small_dir), "%s/small", bus_dir);
	snprintf(filler, sizeof(filler), "%s/filler", small_dir);
	check_eq(mkdir(small_dir, 0700), 0);
	atexit(unmount);
	setenv("AIOEVT_DIR", small_dir, 1);

	mount_small(1);
	for (unsigned from = 0; from < N_STEPS; from++)
		test_from(from, from % 4 ? 3 : 1);
	check(!is_done_or_full("create --events 32768") || run_program("--version") < 0);
	check(is_done_or_full("emit e"));
	check(!unlink(bus_path()) || run_program("--version") < 0);
	check_eq(umount(small_dir), 0);

	mount_small(8);
	test_from(0, 3);
	if (run_program("--version") == 0)
		test_program();
	check_eq(umount(small_dir), 0);

	mount_small(64);
	test_from(0, 5);
	check_eq(umount(small_dir), 0);
	check_eq(rmdir(small_dir), 0);
	return bus_end();
}
