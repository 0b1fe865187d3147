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
	if (cursor->lock >= 0)
		close(cursor->lock);
	*cursor = CURSOR_INIT;
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

static int complain_file(const struct cursor *cursor, int error)
{
	complain("--cursor-file \"%s\": %s", cursor->file, strerror(error));
	return STATUS_TROUBLE;
}

/* Take the @size bytes of @text apart, which has room for one more. */
static int parse_lines(struct cursor *cursor, char *text, size_t size)
{
	size_t len, n = 1;

	for (char *line = text; line < text + size; line += len + 1, n++) {
		len = (size_t)((char *)memchr(line, '\n', size - (size_t)(line - text)) - line);
		line[len] = '\0';
		if (strlen(line) == len && parse_line(cursor, line))
			continue;
		complain("--cursor-file \"%s\": line %zu is not \"SEQ NAME TIME\"", cursor->file, n);
		return STATUS_TROUBLE;
	}
	return STATUS_DONE;
}

/* Not by stdio: the lock would end with its descriptor, or with any other of this file. */
static int read_file(struct cursor *cursor)
{
	size_t room = 0, size = 0;
	char *text = NULL;
	ssize_t n;
	int status;

	do {
		if (room - size < 2) {
			room = 2 * room + 4096;
			text = realloc(text, room);
			check_memory(text ? 0 : -ENOMEM);
		}
		n = read(cursor->lock, text + size, room - size - 1);
		size += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	if (size && text[size - 1] != '\n')
		text[size++] = '\n';
	status = n < 0 ? complain_file(cursor, errno) : parse_lines(cursor, text, size);
	free(text);
	return status;
}

/* ---- one run at a time ---------------------------------------------------------- */

/*
 * Lock the file, so that a second run finds out. The file is replaced by each save, which locks the
 * new one before it takes its name: so the lock counts only if the name still leads to this file.
 *
 * A POSIX lock, since it tells the process that has it; it ends with the process, and when the
 * process closes any descriptor of the file: so this one stays open, and there is no other.
 * Returns 0, or -EAGAIN if it is locked; 0 too where the file system has no locks.
 */
static int lock_file(int fd, pid_t *ret_pid)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	/* A file that is read-only can be replaced: then another may have locked it, but not this. */
	if ((errno != EAGAIN && errno != EACCES && errno != EBADF) ||
	    fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	*ret_pid = lock.l_pid;
	return -EAGAIN;
}

static bool is_named(int fd, const char *file)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && stat(file, &there) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int open_file(const char *file)
{
	int fd = open(file, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno != ENOENT)
		fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd;
}

static int complain_lock(const struct cursor *cursor, pid_t pid)
{
	if (pid > 0)
		complain("--cursor-file \"%s\": in use by process %d", cursor->file, (int)pid);
	else
		complain("--cursor-file \"%s\": in use by a process of another PID namespace",
			 cursor->file);
	return STATUS_TROUBLE;
}

/* Open the file that has the name, and lock it. */
static int open_locked(struct cursor *cursor)
{
	const char *what = "";
	struct stat st;
	pid_t pid = 0;
	int err;

	for (;;) {
		cursor->lock = open_file(cursor->file);
		if (cursor->lock < 0 && errno == ENOENT) {
			/* So that it is where a link says, and of the mode that new files have. */
			cursor->lock = open(cursor->file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
			what = " cannot be written";
		}
		if (cursor->lock < 0) {
			complain("--cursor-file \"%s\"%s: %s", cursor->file, what,
				 strerror(errno));
			return STATUS_TROUBLE;
		}
		if (fstat(cursor->lock, &st) == 0 && !S_ISREG(st.st_mode)) {
			complain("--cursor-file \"%s\": not a regular file", cursor->file);
			return STATUS_TROUBLE;
		}
		cursor->mode = st.st_mode & 0777;
		err = lock_file(cursor->lock, &pid);
		if (is_named(cursor->lock, cursor->file))
			return err < 0 ? complain_lock(cursor, pid) : STATUS_DONE;
		close(cursor->lock);	/* it was replaced meanwhile */
	}
}

int cursor_load(struct cursor *cursor, const char *file)
{
	int status;

	cursor->file = file;
	status = open_locked(cursor);
	if (status)
		return status;
	cursor->path = realpath(file, NULL);
	if (!cursor->path)
		return complain_file(cursor, errno);
	cursor->is_changed = true;	/* the first save shows whether it can be written */
	return read_file(cursor);
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

/* Give the file at @path, open as @fd, the name: locked before anybody else can open it. */
static int take_place(struct cursor *cursor, const char *path, int fd)
{
	pid_t pid;

	lock_file(fd, &pid);
	if (rename(path, cursor->path) < 0)
		return -errno;
	close(cursor->lock);
	cursor->lock = fd;
	return 0;
}

/*
 * Write beside the file, then replace it. The descriptor to lock is made first: once the new file
 * has the mode of a read-only one, it cannot be opened for writing, which a lock needs.
 */
static int replace(struct cursor *cursor)
{
	int fd, lock = -1, err;
	char *temporary;

	if (asprintf(&temporary, "%s.XXXXXX", cursor->path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	if (!err) {
		lock = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		err = lock < 0 ? -errno : 0;
		if (err < 0)
			close(fd);
	}
	if (!err)
		err = write_places(cursor, fd);
	if (!err)
		err = take_place(cursor, temporary, lock);
	if (err < 0 && fd >= 0)
		unlink(temporary);
	if (err < 0 && lock >= 0)
		close(lock);
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
