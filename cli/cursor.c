/* SPDX-License-Identifier: MIT */
#include "cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

/* ---- places --------------------------------------------------------------------- */

/* Where @name is in the places, or is to be. */
static size_t find_index(const struct cursor *cursor, const char *name, bool *ret_found)
{
	size_t low = 0, high = cursor->n_places;

	*ret_found = false;
	while (low < high && !*ret_found) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, cursor->places[middle]->name);

		if (order > 0)
			low = middle + 1;
		else
			high = middle;
		*ret_found = order == 0;
	}
	return *ret_found ? high : low;
}

struct place *cursor_find(struct cursor *cursor, const char *name)
{
	bool is_found;
	size_t i;

	if (cursor->recent && !strcmp(cursor->recent->name, name))
		return cursor->recent;
	i = find_index(cursor, name, &is_found);
	if (!is_found)
		return NULL;
	cursor->recent = cursor->places[i];
	return cursor->recent;
}

struct place *cursor_add(struct cursor *cursor, const char *name)
{
	struct place *place = cursor_find(cursor, name);
	bool is_found;
	size_t i;

	if (place)
		return place;
	i = find_index(cursor, name, &is_found);
	if (cursor->n_places == cursor->room) {
		cursor->room = cursor->room ? 2 * cursor->room : 16;
		cursor->places = reallocarray(cursor->places, cursor->room,
					      sizeof(*cursor->places));
		check_memory(cursor->places ? 0 : -ENOMEM);
	}
	place = calloc(1, sizeof(*place) + strlen(name) + 1);
	check_memory(place ? 0 : -ENOMEM);
	strcpy(place->name, name);
	place->is_first = true;
	memmove(&cursor->places[i + 1], &cursor->places[i],
		(cursor->n_places++ - i) * sizeof(*cursor->places));
	cursor->places[i] = place;
	cursor->is_changed = true;
	return place;
}

void cursor_note(struct cursor *cursor, const char *event, uint64_t seq, uint64_t time)
{
	struct place *place = cursor_add(cursor, event);

	if (place->heard < seq)
		place->heard = seq;
	place->seq = seq;
	place->time = time;
	cursor->is_changed = true;
}

void cursor_forget(struct cursor *cursor)
{
	for (size_t i = 0; i < cursor->n_places; i++) {
		struct place *place = cursor->places[i];

		place->seq = place->time = place->heard = 0;
		place->is_old = true;
	}
	cursor->is_changed = true;
}

void cursor_deinit(struct cursor *cursor)
{
	for (size_t i = 0; i < cursor->n_places; i++)
		free(cursor->places[i]);
	free(cursor->places);
	free(cursor->path);
	*cursor = (struct cursor){ .file = NULL };
}

/* ---- reading -------------------------------------------------------------------- */

static bool parse_number(char **text, uint64_t *ret_number)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(*text, &end, 10);
	*text = end;
	return !errno && *ret_number < INT64_MAX;
}

/* "SEQ NAME" or "SEQ NAME TIME", without its end of line. */
static bool parse_line(struct cursor *cursor, char *line)
{
	uint64_t seq, time = 0;
	struct place *place;
	char *name, *end;

	if (!parse_number(&line, &seq) || *line != ' ')
		return false;
	name = line + 1;
	end = strchrnul(name, ' ');
	if (*end) {
		*end++ = '\0';
		if (!parse_number(&end, &time) || *end)
			return false;
	}
	if (aioevt_shm_pattern_check(name, strlen(name), NULL, NULL) < 0)
		return false;
	place = cursor_add(cursor, name);
	place->seq = place->heard = seq;
	place->time = time;
	place->is_old = true;
	return true;
}

static int read_lines(struct cursor *cursor, FILE *in)
{
	char *line = NULL;
	size_t room = 0, n = 0;
	int status = STATUS_DONE;
	ssize_t len;

	while (!status && (len = getline(&line, &room, in)) > 0) {
		n++;
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (strlen(line) == (size_t)len && parse_line(cursor, line))
			continue;
		complain("--cursor-file \"%s\": line %zu is not \"SEQ NAME TIME\"", cursor->file, n);
		status = STATUS_TROUBLE;
	}
	if (!status && ferror(in)) {
		complain("--cursor-file \"%s\": %s", cursor->file, strerror(errno));
		status = STATUS_TROUBLE;
	}
	free(line);
	return status;
}

static int read_file(struct cursor *cursor, int fd)
{
	struct stat st;
	FILE *in;
	int status;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		complain("--cursor-file \"%s\": not a regular file", cursor->file);
		close(fd);
		return STATUS_TROUBLE;
	}
	cursor->mode = st.st_mode & 0777;
	in = fdopen(fd, "re");
	check_memory(in ? 0 : -errno);
	status = read_lines(cursor, in);
	fclose(in);
	return status;
}

int cursor_load(struct cursor *cursor, const char *file)
{
	const char *what = "";
	int fd;

	cursor->file = file;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT) {
		/* So that it is where a link says, and of the mode that new files have. */
		fd = open(file, O_RDONLY | O_CREAT | O_CLOEXEC, 0666);
		what = " cannot be written";
	}
	if (fd >= 0)
		cursor->path = realpath(file, NULL);
	if (!cursor->path) {
		complain("--cursor-file \"%s\"%s: %s", file, what, strerror(errno));
		if (fd >= 0)
			close(fd);
		return STATUS_TROUBLE;
	}
	cursor->is_changed = true;	/* the first save shows whether it can be written */
	return read_file(cursor, fd);
}

/* ---- writing -------------------------------------------------------------------- */

static int write_places(const struct cursor *cursor, int fd)
{
	FILE *out = fdopen(fd, "we");
	int err;

	if (!out) {
		err = -errno;
		close(fd);
		return err;
	}
	errno = 0;
	for (size_t i = 0; i < cursor->n_places; i++) {
		const struct place *place = cursor->places[i];

		fprintf(out, "%" PRIu64 " %s", place->seq, place->name);
		if (place->time)
			fprintf(out, " %" PRIu64, place->time);
		fputc('\n', out);
	}
	/* A part that could not be written is lost, whatever the flush of the rest says. */
	if (ferror(out) || fflush(out) || fchmod(fd, cursor->mode) || fsync(fd)) {
		err = errno ? -errno : -EIO;
		fclose(out);
		return err;
	}
	return fclose(out) ? -errno : 0;
}

/* Beside the file, then in its place. */
static int replace(const struct cursor *cursor)
{
	char *temporary;
	int fd, err;

	if (asprintf(&temporary, "%s.XXXXXX", cursor->path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	err = fd < 0 ? -errno : write_places(cursor, fd);
	if (!err && rename(temporary, cursor->path) < 0)
		err = -errno;
	if (err < 0 && fd >= 0)
		unlink(temporary);
	free(temporary);
	return err;
}

int cursor_save(struct cursor *cursor)
{
	sigset_t all, before;
	int err;

	if (!cursor->is_changed)
		return STATUS_DONE;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = replace(cursor);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err < 0) {
		complain("--cursor-file \"%s\" cannot be written: %s", cursor->file, strerror(-err));
		return STATUS_TROUBLE;
	}
	cursor->is_changed = false;
	return STATUS_DONE;
}
