/* SPDX-License-Identifier: MIT */
/* The errors of the engine, for people: which value ran into which limit. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "buses.h"
#include "common.h"

static const char *bus_name(const struct bus_options *options)
{
	const char *name = getenv("AIOEVT_BUS");

	if (options->bus)
		return options->bus;
	return name && *name ? name : "default";
}

const char *bus_describe(const struct bus_options *options)
{
	static char text[AIOEVT_SHM_BUS_MAX + 128];
	const char *name = bus_name(options), *colon = strchr(name, ':');
	char owner[64];

	buses_print_user(colon ? (uid_t)strtoul(name, NULL, 10) : geteuid(), owner, sizeof(owner));
	snprintf(text, sizeof(text), "bus \"%s\" of %s", colon ? colon + 1 : name, owner);
	return text;
}

/* The directory of the bus file. */
static void find_dir(const struct bus_options *options, char dir[static PATH_MAX])
{
	char *slash;

	*dir = '\0';
	aioevt_shm_path(options->bus, dir, PATH_MAX);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
}

/* Whether there is an RLIMIT_FSIZE, in bytes. */
static bool find_limit(uint64_t *ret_limit)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return false;
	*ret_limit = limit.rlim_cur;
	return true;
}

static bool is_tmpfs(const char *dir)
{
	struct statfs fs;

	return statfs(dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* ---- opening -------------------------------------------------------------------- */

/* Was a bus to be created, and not given to the group that was asked for? */
static bool is_group_refused(const struct bus_options *options, const char *path)
{
	struct stat st;

	return options->has_group && options->group != getegid() &&
	       !group_member(options->group) && lstat(path, &st) < 0 &&
	       errno == ENOENT && *path;
}

static int complain_group(const struct bus_options *options, const char *path, int err)
{
	if (err == -EINVAL) {
		complain("--group \"%s\": no group of this user namespace; %s was not "
			 "created", options->group_text, path);
		return STATUS_USAGE;
	}
	complain("--group \"%s\": this process is not in that group; %s was not created",
		 options->group_text, path);
	return STATUS_PERMISSION;
}

int bus_version_trouble(const struct bus_options *options,
			const struct aioevt_shm_inspection *seen)
{
	const char *name = bus_name(options);

	if (seen->version == seen->own_version)
		complain("bus \"%s\": %s is of format version %" PRIu32 " with additions that this "
			 "program does not know", name, seen->path, seen->version);
	else
		complain("bus \"%s\": %s is of format version %" PRIu32 ", this program uses version "
			 "%" PRIu32 "; \"aioevt rm --bus %s\" removes it", name, seen->path,
			 seen->version, seen->own_version, name);
	return STATUS_INCOMPATIBLE;
}

/* Neither a bus of this version nor, perhaps, of another. */
static int complain_content(const struct bus_options *options, const char *path)
{
	struct aioevt_shm_inspection *seen;
	int status = STATUS_INCOMPATIBLE;

	if (aioevt_shm_inspect(options->bus, options->has_group ? AIOEVT_SHM_GROUP : 0, &seen) < 0) {
		complain("bus \"%s\": %s is damaged, laid out by another build of this version, "
			 "or not a bus", bus_name(options), path);
		return status;
	}
	if (seen->is_known)
		complain("bus \"%s\": %s is cut off or has holes", bus_name(options), path);
	else
		status = bus_version_trouble(options, seen);
	aioevt_shm_inspection_free(seen);
	return status;
}

int bus_open_trouble(const struct bus_options *options, int err)
{
	const char *name = bus_name(options);
	char path[PATH_MAX] = "";
	uint64_t limit;

	aioevt_shm_path(options->bus, path, sizeof(path));
	if ((err == -EPERM || err == -EINVAL) && is_group_refused(options, path))
		return complain_group(options, path, err);
	switch (err) {
	case -EINVAL:
		complain("bus name \"%.300s\": not 1 to %u of A-Z a-z 0-9 . _ - (no "
			 "leading dot), with UID: before it for another user's bus",
			 name, AIOEVT_SHM_BUS_MAX);
		return STATUS_USAGE;
	case -ENOEXEC:
		return complain_content(options, path);
	case -EPERM:
		complain("bus \"%s\": owner, mode or type of %s is not what a bus of "
			 "that user has", name, path);
		return STATUS_PERMISSION;
	case -EACCES:
		complain("bus \"%s\": %s: %s", name, path, strerror(EACCES));
		return STATUS_PERMISSION;
	case -EUSERS:
		complain("every place on bus \"%s\" is taken by a live process", name);
		return STATUS_TROUBLE;
	case -EPROTO:
		complain("bus \"%s\": %s is damaged", name, path);
		return STATUS_TROUBLE;
	case -EBUSY:
		complain("bus \"%s\": others created and removed %s each time that it was looked "
			 "at", name, path);
		return STATUS_TROUBLE;
	case -EFBIG:
		if (find_limit(&limit)) {
			complain("bus \"%s\": RLIMIT_FSIZE, %" PRIu64 " bytes, is too small "
				 "to create %s", name, limit, path);
			return STATUS_TROUBLE;
		}
		/* fall through */
	default:
		complain("bus \"%s\": %s: %s", name, path, strerror(-err));
		return STATUS_TROUBLE;
	}
}

/* ---- using ---------------------------------------------------------------------- */

struct reason {
	char text[PATH_MAX + 256];
};

/* No place for one more listener. */
static void explain_users(const struct aioevt_shm_info *info, struct reason *why)
{
	snprintf(why->text, sizeof(why->text), "%" PRIu32 " of %" PRIu32 " listeners are "
		 "taken, by %" PRIu32 " participants", info->listeners_used,
		 info->n_listeners, info->ports_used);
}

/* No room for one more event, even if all that may be retired were. */
static void explain_space(const struct bus_options *options,
			  const struct aioevt_shm_info *info, struct reason *why)
{
	char dir[PATH_MAX];

	find_dir(options, dir);
	if (info->events_used >= info->n_events)
		snprintf(why->text, sizeof(why->text), "all %" PRIu32 " events are in use",
			 info->n_events);
	else
		snprintf(why->text, sizeof(why->text), "no space left: the %" PRIu64
			 " bytes for rings or %s are full, and what is not in use of the %" PRIu32
			 " events would not suffice", info->ring_budget, dir, info->events_used);
}

/* The file cannot grow. */
static void explain_growth(struct reason *why)
{
	uint64_t limit;

	if (find_limit(&limit))
		snprintf(why->text, sizeof(why->text), "RLIMIT_FSIZE, %" PRIu64 " bytes, is "
			 "too small for the bus file to grow", limit);
	else
		snprintf(why->text, sizeof(why->text), "the bus file has used up its "
			 "offsets");
}

static void explain(const struct bus_options *options, struct aioevt_shm *bus, int err,
		    struct reason *why)
{
	struct aioevt_shm_info info;
	bool has_info = bus && aioevt_shm_get_info(bus, &info) == 0;

	if (err == -EUSERS && has_info)
		explain_users(&info, why);
	else if (err == -ENOSPC && has_info)
		explain_space(options, &info, why);
	else if (err == -EFBIG)
		explain_growth(why);
	else
		snprintf(why->text, sizeof(why->text), "%s",
			 err == -EUSERS ? "every place is taken" :
			 err == -EPROTO ? "the bus file is damaged or truncated" :
			 err == -ESTALE ? "the bus was removed" :
			 err == -EBUSY ? "others were faster, thousands of times in a row" :
			 strerror(-err));
}

int bus_trouble(const struct bus_options *options, struct aioevt_shm *bus,
		const char *event, int err)
{
	const char *name = bus_name(options);
	struct reason why;

	if (err == -EPERM || err == -EACCES || err == -ENOEXEC)
		return bus_open_trouble(options, err);

	explain(options, bus, err, &why);
	if (event)
		complain("bus \"%s\", event \"%s\": %s", name, event, why.text);
	else
		complain("bus \"%s\": %s", name, why.text);
	return STATUS_TROUBLE;
}

int payload_trouble(const struct bus_options *options, const char *event, size_t size,
		    const struct aioevt_shm_info *info, int err)
{
	char dir[PATH_MAX], why[PATH_MAX + 64];
	uint64_t limit;

	find_dir(options, dir);
	if (err == -ENOSPC) {
		complain("event \"%s\": no space in %s for a payload of %zu bytes, of those over "
			 "%" PRIu32 " that may take %" PRIu64 " bytes together; nothing was "
			 "emitted", event, dir, size, info->inline_size, info->large_budget);
		return STATUS_TROUBLE;
	}
	if (find_limit(&limit))
		snprintf(why, sizeof(why), "RLIMIT_FSIZE is %" PRIu64 " bytes, not unlimited",
			 limit);
	else if (!is_tmpfs(dir))
		snprintf(why, sizeof(why), "%s is not on a tmpfs", dir);
	else
		snprintf(why, sizeof(why), "the bus file has used up its offsets");
	complain("event \"%s\": a payload of %zu bytes, over the inline limit of %" PRIu32
		 ", lies far into the bus file, but %s; nothing was emitted", event, size,
		 info->inline_size, why);
	return STATUS_TROUBLE;
}
