/* SPDX-License-Identifier: MIT */
/*
 * The health of a bus, as an onlooker sees it: it opens the file for reading, takes no part,
 * and believes nothing that it reads. Everything comes by pread(2) into memory of its own:
 * holes and truncation give zeros, not SIGBUS, and the file is left as it is, to the byte.
 *
 * A bus in use changes while it is copied, so a pass may see things that never were. Three
 * rules keep that out of the answer:
 *   - What is changed before something else is read after it: high-water marks after the
 *     tables, a ring's head both before and after its slots.
 *   - What a live participant may be in the midst of is no problem, whatever it is.
 *   - A problem counts if it is there in each of several passes, the same one in the same
 *     place (struct finding_key); on a bus where nobody was or came meanwhile, in one.
 *
 * What counts as a problem is what no participant, nor its death at any instruction, leaves
 * behind, or what nobody would ever clean up. What is waiting for the next who comes by, as
 * a dead process's port, is a note.
 *
 * Work is bounded by the memory that the file takes: a ring is read only if the file has
 * the memory for it and no other ring claims the same bytes.
 */
#include "inspect.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bus-file.h"
#include "cancel.h"
#include "clock.h"

#define MAX_LISTED	200u	/* findings of each level that are listed */
#define MORE_PASSES	3u
#define PAUSE_NS	10000000

void *look_grow(struct look *look, void *array, size_t *n, size_t size)
{
	void **at = array, *more;

	if (look->err)
		return NULL;
	if (!(*n & (*n - 1))) {		/* full: room for twice as many */
		more = reallocarray(*at, *n ? 2 * *n : 1, size);
		if (!more) {
			look->err = -ENOMEM;
			return NULL;
		}
		*at = more;
	}
	return memset((unsigned char *)*at + (*n)++ * size, 0, size);
}

void report(struct look *look, enum level level, const char *code, uint64_t a, uint64_t b,
	    const char *format, ...)
{
	struct aioevt_shm_inspection *out = look->out;
	size_t *n = level == PROBLEM ? &out->n_problems : &out->n_notes, n_keys = *n;
	struct aioevt_shm_finding *finding;
	struct finding_key *key = NULL;
	va_list args;

	if (*n >= MAX_LISTED) {
		out->n_unlisted++;
		return;
	}
	if (level == PROBLEM) {
		key = look_grow(look, &look->keys, &n_keys, sizeof(*key));
		if (!key)
			return;
		*key = (struct finding_key){ code, a, b };
	}
	finding = look_grow(look, level == PROBLEM ? &out->problems : &out->notes, n,
			    sizeof(*finding));
	if (!finding)
		return;
	finding->code = code;
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
}

/* ---- one pass ----------------------------------------------------------------------- */

static void describe(struct look *look)
{
	struct aioevt_shm_inspection *out = look->out;
	const struct layout *lo = &look->lo;

	out->is_removed = !look->st.st_nlink;
	out->n_events_max = lo->n_events;
	out->n_listeners_max = lo->n_listeners;
	out->depth = lo->depth;
	out->inline_size = lo->inline_size;
	out->max_payload = lo->max_payload;
	out->ring_budget = lo->ring_budget;
	out->large_budget = lo->large_budget;
	out->created = look->header.created;
	out->file_size = (uint64_t)look->st.st_size;
	out->memory = (uint64_t)look->st.st_blocks * 512;
	out->memory_tables = lo->tables_end;
}

static void raise_used(struct aioevt_shm_inspection *out, uint64_t time)
{
	if (time > out->used)
		out->used = time;
}

/* Stores through a mapping leave no trace in the file's time; attaching and leaving set it. */
static void find_last_use(struct look *look)
{
	struct aioevt_shm_inspection *out = look->out;

	raise_used(out, out->created);
	raise_used(out, timespec_ns(&look->st.st_mtim));
	for (uint32_t p = 0; p < look->lo.n_listeners; p++)
		raise_used(out, get64(&look_port(look, p)->since));
	for (size_t i = 0; i < out->n_events; i++)
		raise_used(out, out->events[i].last_time);
}

static void free_arrays(struct aioevt_shm_inspection *out)
{
	free(out->ports);
	free(out->events);
	free(out->readers);
	free(out->slots);
	free(out->problems);
	free(out->notes);
}

/* Forget the last pass, but for what is known of the file. */
static void clear(struct aioevt_shm_inspection *out)
{
	struct aioevt_shm_inspection fresh = { .version = out->version };

	free_arrays(out);
	memcpy(fresh.path, out->path, sizeof(fresh.path));
	*out = fresh;
}

/*
 * *ret_keys are those of the problems, to be freed; *ret_sure whether nobody can have changed
 * anything meanwhile. Returns 0 or an error.
 */
static int pass(struct aioevt_shm_inspection *out, int fd, struct finding_key **ret_keys,
		bool *ret_sure)
{
	struct look look = { .out = out, .fd = fd };
	bool sure = !look_has_anybody(fd);
	int err;

	clear(out);
	err = look_copy(&look);
	if (!err && !out->is_known)
		raise_used(out, timespec_ns(&look.st.st_mtim));
	if (!err && out->is_known) {
		describe(&look);
		if (look_at_header(&look)) {
			look_at_ports(&look);
			look_at_events(&look);
			look_at_lists(&look);
			look_at_listeners(&look);
			look_at_timers(&look);
			look_at_rings(&look);
			look_at_memory(&look);
		}
		find_last_use(&look);
		err = look.err;
		*ret_sure = sure && !look_has_anybody(fd) &&
			    look_last_coming(fd, &look.lo) <= out->used;
	}
	look_drop(&look);
	if (err < 0)
		free(look.keys);
	else
		*ret_keys = look.keys;
	return err;
}

/* ---- what stays --------------------------------------------------------------------- */

static bool is_among(const struct finding_key *key, const struct finding_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(keys[i].code, key->code) && keys[i].a == key->a &&
		    keys[i].b == key->b)
			return true;
	return false;
}

/* Of this pass's problems, keep those that were there before. */
static void keep_common(struct aioevt_shm_inspection *out, struct finding_key *keys,
			const struct finding_key *before, size_t n_before)
{
	size_t n = 0;

	for (size_t i = 0; i < out->n_problems; i++)
		if (is_among(&keys[i], before, n_before)) {
			keys[n] = keys[i];
			out->problems[n++] = out->problems[i];
		}
	out->n_problems = n;
}

static int inspect(struct aioevt_shm_inspection *out, int fd)
{
	struct finding_key *keys = NULL, *before;
	struct timespec pause = { .tv_nsec = PAUSE_NS };
	bool sure = true;
	int err = pass(out, fd, &keys, &sure);

	for (unsigned i = 0; !err && i < MORE_PASSES && out->n_problems && !sure; i++) {
		size_t n = out->n_problems;

		before = keys;
		keys = NULL;
		nanosleep(&pause, NULL);
		err = pass(out, fd, &keys, &sure);
		sure = false;
		if (!err)
			keep_common(out, keys, before, n);
		free(before);
	}
	free(keys);
	return err;
}

int inspect_fd(int fd, struct aioevt_shm_inspection **ret_inspection)
{
	struct aioevt_shm_inspection *out = calloc(1, sizeof(*out));
	int err = out ? inspect(out, fd) : -ENOMEM;

	if (err < 0)
		aioevt_shm_inspection_free(out);
	else
		*ret_inspection = out;
	return err;
}

static int inspect_name(const char *name, uint32_t flags,
			struct aioevt_shm_inspection **ret_inspection)
{
	struct bus_path path;
	int fd, err = bus_path_resolve(name, &path);

	if (!err)
		err = bus_file_open_readonly(&path, flags, &fd);
	if (err < 0)
		return err;
	err = inspect_fd(fd, ret_inspection);
	close(fd);
	if (!err)
		memcpy((*ret_inspection)->path, path.path, sizeof(path.path));
	return err;
}

int aioevt_shm_inspect(const char *name, uint32_t flags,
		       struct aioevt_shm_inspection **ret_inspection)
{
	int cancel, err;

	if (!ret_inspection || flags & ~AIOEVT_SHM_GROUP)
		return -EINVAL;
	cancel = cancel_off();
	err = inspect_name(name, flags, ret_inspection);
	cancel_on(cancel);
	return err;
}

struct aioevt_shm_inspection *
aioevt_shm_inspection_free(struct aioevt_shm_inspection *inspection)
{
	if (inspection)
		free_arrays(inspection);
	free(inspection);
	return NULL;
}
