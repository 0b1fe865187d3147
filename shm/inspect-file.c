/* SPDX-License-Identifier: MIT */
/* The inspection's way to the file: the copies, and whose the memory is. See inspect.c. */
#include "inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "clock.h"
#include "layout-compute.h"

#define CHUNK		(UINT64_C(1) << 20)

size_t look_read(int fd, uint64_t offset, void *buf, size_t size)
{
	unsigned char *to = buf;
	size_t done = 0;

	while (done < size) {
		size_t part = size - done < CHUNK ? size - done : CHUNK;
		ssize_t n = pread(fd, to + done, part, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done < size)
		memset(to + done, 0, size - done);
	return done;
}

/* ---- who is there --------------------------------------------------------------------- */

bool look_has_anybody(int fd)
{
	struct flock fl = {		/* one call asks for all ports */
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)LOCK_BASE,
		.l_len = (off_t)(LOCK_RIGHT - LOCK_BASE) * 2,
	};

	return fcntl(fd, F_OFD_GETLK, &fl) < 0 || fl.l_type != F_UNLCK;
}

uint64_t look_last_coming(int fd, const struct layout *lo)
{
	uint64_t last = 0, since;

	for (uint32_t p = 0; p < lo->n_listeners; p++) {
		look_read(fd, lo->ports + (uint64_t)p * lo->port_stride +
			  offsetof(struct port, since), &since, sizeof(since));
		if (since > last)
			last = since;
	}
	return last;
}

uint64_t look_last_change(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? UINT64_MAX : timespec_ns(&st.st_mtim);
}

/* ---- the copies --------------------------------------------------------------------- */

/* Is it a bus at all? Then of which version, and is that one of ours? */
static int identify(struct look *look)
{
	int r = layout_version(&look->header, &look->out->version);

	if (r < 0)
		return r;
	look->out->own_version = BUS_VERSION;
	look->out->is_known = r;
	return r ? layout_from_header(&look->header, &look->lo) : 0;
}

int look_copy(struct look *look)
{
	const struct layout *lo = &look->lo;
	int err;

	if (fstat(look->fd, &look->st) < 0)
		return -errno;
	if (look_read(look->fd, 0, &look->header, sizeof(look->header)) <
	    sizeof(look->header))
		return -ENOEXEC;
	err = identify(look);
	if (err < 0 || !look->out->is_known)
		return err;
	look->tables = malloc(lo->tables_end);
	look->holders = calloc(lo->n_listeners, sizeof(*look->holders));
	look->list_of = calloc(lo->n_events, sizeof(*look->list_of));
	look->look_of = malloc(lo->n_events * sizeof(*look->look_of));
	look->tracks = calloc(lo->n_events, sizeof(*look->tracks));
	if (!look->tables || !look->holders || !look->list_of || !look->look_of ||
	    !look->tracks)
		return -ENOMEM;
	memset(look->look_of, 0xff, lo->n_events * sizeof(*look->look_of));
	look_read(look->fd, 0, look->tables, lo->tables_end);
	/* Again: what was raised before the tables were changed. */
	look_read(look->fd, 0, &look->header, sizeof(look->header));
	return 0;
}

void look_drop(struct look *look)
{
	free(look->tables);
	free(look->holders);
	free(look->list_of);
	free(look->look_of);
	free(look->tracks);
	free(look->regions.at);
	free(look->bodies.at);
}

/* ---- extents ------------------------------------------------------------------------ */

void extents_add(struct look *look, struct extents *extents, struct extent extent)
{
	struct extent *at = look_grow(look, &extents->at, &extents->n, sizeof(*at));

	if (at)
		*at = extent;
}

static int by_start(const void *a, const void *b)
{
	const struct extent *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

void extents_sort(struct look *look, struct extents *extents, const char *what)
{
	struct extent *last = NULL;

	if (extents->n)
		qsort(extents->at, extents->n, sizeof(*extents->at), by_start);
	for (size_t i = 0; i < extents->n; i++) {
		struct extent *at = &extents->at[i];

		if (at->loose)
			continue;
		if (last && at->start < last->end) {
			at->overlaps = true;
			report(look, PROBLEM, "shared-memory", at->start, last->start,
			       "events \"%s\" and \"%s\" have the same %s, at 0x%" PRIx64,
			       look_name(look, last->event), look_name(look, at->event),
			       what, at->start);
		}
		if (!last || at->end > last->end)
			last = at;
	}
}

/* ---- whose memory is it? -------------------------------------------------------------- */

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * Does the file get memory by the page? With huge pages, or on a file system of larger blocks, the
 * rest of a piece is nobody's, and lies between those of different owners.
 */
static bool is_paged(const struct look *look)
{
	return (uint64_t)look->st.st_blksize <= page_size();
}

static void report_unowned(struct look *look, uint64_t start, uint64_t end)
{
	report(look, PROBLEM, "lost-memory", start, 0, "%" PRIu64 " bytes at 0x%" PRIx64
	       " belong to no event", end - start, start);
}

/* There is data in [start, end): by whom? *i goes along as data does. */
static void look_at_data(struct look *look, const struct extents *extents, size_t *i,
			 uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct extent *at;
		uint64_t stop;

		while (*i < extents->n &&
		       round_up(extents->at[*i].end, page_size()) <= start)
			++*i;
		at = *i < extents->n ? &extents->at[*i] : NULL;
		if (at && at->start <= start) {
			start = round_up(at->end, page_size());
			continue;
		}
		stop = at && at->start < end ? at->start : end;
		report_unowned(look, start, stop);
		start = stop;
	}
}

/* Walk over what holds data in [from, to). Returns how many bytes that is. */
static uint64_t walk_data(struct look *look, const struct extents *extents, uint64_t from,
			  uint64_t to)
{
	uint64_t bytes = 0;
	size_t i = 0;

	while (from < to) {
		off_t start = lseek(look->fd, (off_t)from, SEEK_DATA);
		off_t end = start < 0 ? start : lseek(look->fd, start, SEEK_HOLE);

		if (start < 0 || (uint64_t)start >= to || end <= start)
			break;
		end = (off_t)round_up((uint64_t)end, page_size());	/* the file's end */
		if ((uint64_t)end > to)
			end = (off_t)to;
		bytes += (uint64_t)(end - start);
		if (is_paged(look))
			look_at_data(look, extents, &i, (uint64_t)start, (uint64_t)end);
		from = (uint64_t)end;
	}
	return bytes;
}

static uint64_t sum(const struct extents *extents)
{
	uint64_t bytes = 0, end = 0;

	for (size_t i = 0; i < extents->n; i++) {
		const struct extent *at = &extents->at[i];
		uint64_t start = at->start > end ? at->start : end;
		uint64_t stop = round_up(at->end, page_size());

		if (at->loose || stop <= start)
			continue;
		bytes += stop - start;
		end = stop;
	}
	return bytes;
}

/* On a tmpfs without huge pages the sum is exact, as long as nobody changes it. */
static bool is_exact(const struct look *look, const struct stat *now)
{
	struct statfs fs;

	return !look->in_flux && now->st_blocks == look->st.st_blocks &&
	       fstatfs(look->fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC && is_paged(look);
}

void look_at_memory(struct look *look)
{
	struct aioevt_shm_inspection *out = look->out;
	uint64_t all = out->memory, known;
	struct stat now;

	walk_data(look, &look->regions, look->lo.tables_end, BODY_BASE);
	out->memory_bodies = walk_data(look, &look->bodies, BODY_BASE, BODY_LIMIT) +
			     walk_data(look, &look->bodies, TIMER_BODIES, LOCK_BASE);
	out->memory_rings = sum(&look->regions);
	known = out->memory_tables + out->memory_rings + out->memory_bodies;
	if (fstat(look->fd, &now) < 0 || !is_exact(look, &now) || all == known)
		return;
	if (all > known)
		report(look, PROBLEM, "lost-memory", UINT64_MAX, all - known,
		       "%" PRIu64 " bytes more than tables, rings and bodies have",
		       all - known);
	else
		report(look, PROBLEM, "missing-memory", UINT64_MAX, known - all,
		       "%" PRIu64 " bytes of tables, rings or bodies are holes",
		       known - all);
}
