/* SPDX-License-Identifier: MIT */
/* aioevt gc */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buses.h"
#include "common.h"
#include "duration.h"

static const char doc[] =
	"Remove the buses of this user that nobody is attached to and that were not used "
	"for a day; print the name of each."
	"\v"
	"Status: 0 done, 1 trouble, 6 7 64 as for all. See aioevt-gc(1).";

enum { KEY_DRY_RUN = 0x100, KEY_OLDER_THAN };

static const struct argp_option options[] = {
	{ "dry-run", KEY_DRY_RUN, NULL, 0, "Remove nothing, print what would be removed", 1 },
	{ "older-than", KEY_OLDER_THAN, "DURATION", 0,
	  "What was not used for this time (default: 24h; 0: whatever nobody is "
	  "attached to)", 1 },
	{ 0 }
};

struct gc {
	struct bus_options bus;
	uint64_t older_than;		/* ns */
	bool dry_run;
	struct buses buses;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct gc *gc = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		gc->bus.program = "aioevt gc";
		state->child_inputs[0] = &gc->bus;
		return 0;
	case ARGP_KEY_ARG:
		complain_usage("\"%s\": gc takes no argument; --bus names one bus", arg);
	case KEY_DRY_RUN:
		gc->dry_run = true;
		return 0;
	case KEY_OLDER_THAN:
		gc->older_than = parse_duration("--older-than", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = doc,
	.children = bus_children,
};

/* ---- one bus ------------------------------------------------------------------------- */

static const char *explain(int err)
{
	return err == -ENOEXEC ? "not a bus, or a damaged one" :
	       err == -EPROTO ? "damaged, see aioevt doctor" :
	       err == -EPERM ? "its owner, mode or type is not what a bus has" :
	       err == -EINVAL ? "not the name of a bus" : strerror(-err);
}

static int collect_one(const struct gc *gc, const char *name, bool is_named)
{
	struct bus_options one = gc->bus;
	int r;

	one.bus = name;
	r = aioevt_shm_unlink_idle(name, gc->older_than,
				   (gc->dry_run ? AIOEVT_SHM_DRY_RUN : 0) |
				   (gc->bus.has_group ? AIOEVT_SHM_GROUP : 0));
	if (r == -EBUSY || r == -EAGAIN || (r == -ENOENT && !is_named))
		return STATUS_DONE;
	if (r < 0 && is_named)
		return bus_open_trouble(&one, r);
	if (r < 0) {
		complain("bus \"%s\": left alone: %s", name, explain(r));
		return r == -ENOEXEC || r == -EPROTO || r == -EPERM || r == -EINVAL ?
		       STATUS_DONE : STATUS_TROUBLE;
	}
	if (r > 0)
		complain("bus \"%s\": somebody attached as it was removed, and goes on with a "
			 "new one", name);
	puts(name);
	return STATUS_DONE;
}

/* ---- what killed creators left -------------------------------------------------------- */

/* Open and lock a file that a creator of a bus fills. Returns a descriptor; -1: a live one has it. */
static int lock_unfinished(int dir, const char *file)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    !flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return -1;
}

static int collect_file(const struct gc *gc, int dir, const char *file)
{
	int status = STATUS_DONE, fd = lock_unfinished(dir, file);

	if (fd < 0)
		return STATUS_DONE;
	if (gc->dry_run || !unlinkat(dir, file, 0)) {
		complain("%s/%s: left by a killed process that created a bus%s", gc->buses.dir,
			 file, gc->dry_run ? "" : ", removed");
	} else if (errno != ENOENT) {
		complain("%s/%s: %s", gc->buses.dir, file, strerror(errno));
		status = STATUS_TROUBLE;
	}
	close(fd);
	return status;
}

static int collect_unfinished(struct gc *gc)
{
	int status = buses_find_unfinished(&gc->buses), one, dir;

	if (status || !gc->buses.n)
		return status;
	dir = open(*gc->buses.dir ? gc->buses.dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; dir >= 0 && i < gc->buses.n; i++) {
		if (gc->buses.v[i].uid != geteuid())
			continue;
		one = collect_file(gc, dir, gc->buses.v[i].file);
		if (one)
			status = one;
	}
	if (dir >= 0)
		close(dir);
	buses_deinit(&gc->buses);
	return status;
}

/* ---- all of them ---------------------------------------------------------------------- */

static int collect(struct gc *gc)
{
	int status = STATUS_DONE, one;
	size_t i;

	if (gc->bus.bus)
		return collect_one(gc, gc->bus.bus, true);
	status = collect_unfinished(gc);
	if (status)
		return status;
	status = buses_find(&gc->buses);
	for (i = 0; i < gc->buses.n; i++) {
		if (gc->buses.v[i].uid != geteuid())
			continue;
		one = collect_one(gc, gc->buses.v[i].name, false);
		if (one)
			status = one;
	}
	return status;
}

int gc_main(int argc, char **argv, const struct bus_options *bus)
{
	struct gc gc = { .bus = *bus, .older_than = 24 * 3600 * NS_PER_S };
	int status, written;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &gc);
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */

	status = collect(&gc);
	written = finish_output();
	buses_deinit(&gc.buses);
	return status ? status : written;
}
