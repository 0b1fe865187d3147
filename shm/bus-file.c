/* SPDX-License-Identifier: MIT */
/*
 * Making and opening the bus file. It is created whole or not at all: filled in while it
 * has no name (O_TMPFILE), then linked to its name, which fails if somebody was faster.
 * A creator killed at any point before the link leaves nothing; after it, a whole bus.
 *
 * Where the file system has no O_TMPFILE, or there is no /proc to link the file by, the file is
 * filled under the name ".aioevt.UID.XXXXXX", which is no bus's, and locked by flock(2) meanwhile.
 * A creator killed before the end leaves that name without a lock, and "aioevt gc" removes it; if
 * the creator was killed after the link, the name is a second one of a whole bus. gc may lock the
 * file before its creator does: the creator does not wait for the lock, but begins again with
 * another name.
 */
#include "bus-file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bounds.h"
#include "clock.h"
#include "layout-compute.h"

#define DEFAULT_DIR	"/dev/shm"
#define DEFAULT_BUS	"default"
#define PIECE		UINT64_C(1048576)	/* bytes of one fallocate(2) */

static bool bus_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > AIOEVT_SHM_BUS_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isascii((unsigned char)name[i]) ||
		    (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i])))
			return false;
	return true;
}

/* Split "UID:NAME". Returns the name, or NULL if the part before ":" is no user id. */
static const char *split_owner(const char *name, uid_t *ret_uid)
{
	const char *colon = strchr(name, ':');
	unsigned long long uid = 0;

	if (!colon)
		return name;
	if (colon == name || colon - name > 10)
		return NULL;
	for (const char *p = name; p < colon; p++) {
		if (*p < '0' || *p > '9')
			return NULL;
		uid = uid * 10 + (unsigned long long)(*p - '0');
	}
	if (uid >= UINT32_MAX)
		return NULL;
	*ret_uid = (uid_t)uid;
	return colon + 1;
}

static const char *from_env(const char *variable, const char *fallback)
{
	const char *value = secure_getenv(variable);

	return value && *value ? value : fallback;
}

int bus_path_resolve(const char *name, struct bus_path *ret_path)
{
	uid_t uid = geteuid();
	int n;

	if (!name)
		name = from_env("AIOEVT_BUS", DEFAULT_BUS);
	name = split_owner(name, &uid);
	if (!name || !bus_name_ok(name))
		return -EINVAL;
	n = snprintf(ret_path->dir, sizeof(ret_path->dir), "%s",
		     from_env("AIOEVT_DIR", DEFAULT_DIR));
	if (n < 0 || (size_t)n >= sizeof(ret_path->dir))
		return -ENAMETOOLONG;
	snprintf(ret_path->path, sizeof(ret_path->path), "%s/aioevt.%u.%s", ret_path->dir,
		 (unsigned)uid, name);
	ret_path->uid = uid;
	ret_path->foreign = uid != geteuid();
	return 0;
}

int aioevt_shm_path(const char *name, char *buf, size_t size)
{
	struct bus_path path;
	size_t len;
	int err = buf ? bus_path_resolve(name, &path) : -EINVAL;

	if (err < 0)
		return err;
	len = strlen(path.path);
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(buf, path.path, len + 1);
	return (int)len;
}

int bus_file_limit(uint64_t end)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY &&
	    limit.rlim_cur < end)
		return -EFBIG;
	return 0;
}

/* Owner, type and mode: may this file be the bus that was asked for? */
static int check_owner(const struct bus_path *path, const struct stat *st, uint32_t flags)
{
	bool group = path->foreign || flags & AIOEVT_SHM_GROUP;

	if (!S_ISREG(st->st_mode) || st->st_mode & S_IRWXO)
		return -EPERM;
	if (st->st_uid != path->uid && st->st_uid != 0)
		return -EPERM;
	if (st->st_uid != geteuid() && st->st_mode & S_IRWXG && !group)
		return -EPERM;
	return 0;
}

/* Magic, version, flags, signature, size: is it a bus, and one of ours? */
static int check_content(int fd, const struct stat *st, struct layout *ret_layout)
{
	struct bus_header header;
	struct layout lo;
	uint32_t version;
	ssize_t n;
	int err;

	n = pread(fd, &header, sizeof(header), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(header) || layout_version(&header, &version) <= 0)
		return -ENOEXEC;
	err = layout_from_header(&header, &lo);
	if (err < 0)
		return err;
	/* A file shorter than its tables, or with holes in them, would raise SIGBUS. */
	if ((uint64_t)st->st_size < lo.tables_end ||
	    (uint64_t)st->st_blocks * 512 < lo.tables_end)
		return -ENOEXEC;
	*ret_layout = lo;
	return 0;
}

/* Not O_CREAT: fs.protected_regular refuses it for a file of another user, proc(5). */
static int open_existing(const struct bus_path *path, uint32_t flags, int *ret_fd,
			 struct layout *ret_layout)
{
	struct stat st;
	int fd, err;

	fd = open(path->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ELOOP || errno == EISDIR || errno == ENXIO ||
		       errno == ENODEV ? -EPERM : -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!st.st_nlink)
		err = -EAGAIN;		/* removed between open and here: look again */
	else
		err = check_owner(path, &st, flags);
	if (!err)
		err = check_content(fd, &st, ret_layout);
	if (err < 0)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}

int bus_file_open_readonly(const struct bus_path *path, uint32_t flags, int *ret_fd)
{
	struct stat st;
	int fd, err;

	fd = open(path->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO || errno == ENODEV ? -EPERM : -errno;
	err = fstat(fd, &st) < 0 ? -errno : check_owner(path, &st, flags);
	if (err < 0)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}

/*
 * Choose the sizes of a new bus in the file @fd. -ENOSPC: a ring that is asked for is larger than
 * the whole file system.
 */
static int choose_layout(int fd, const struct aioevt_shm_config *config, struct layout *ret_lo)
{
	struct aioevt_shm_config fitting = *config;
	struct statvfs fs;
	uint64_t size = 0;

	if (!fstatvfs(fd, &fs))
		size = (uint64_t)fs.f_blocks * fs.f_frsize;
	layout_fit(&fitting, size);
	layout_from_config(&fitting, ret_lo);
	if (size && ret_lo->tables_end + (uint64_t)ret_lo->depth * ret_lo->slot_size > size)
		return -ENOSPC;
	return 0;
}

/* In pieces: before Linux 6.9, tmpfs gives up a call at a signal, and undoes it; fallocate(2). */
int bus_file_allocate(int fd, uint64_t offset, uint64_t size)
{
	while (size) {
		uint64_t piece = size < PIECE ? size : PIECE;
		int err;

		do {
			err = fallocate(fd, 0, (off_t)offset, (off_t)piece) < 0 ? errno : 0;
		} while (err == EINTR);
		if (err == EOPNOTSUPP)
			err = posix_fallocate(fd, (off_t)offset, (off_t)piece);
		if (err)
			return -err;
		offset += piece;
		size -= piece;
	}
	return 0;
}

static int write_header(int fd, struct layout *lo)
{
	struct bus_header h = {
		.magic = BUS_MAGIC, .version = BUS_VERSION, .incompat = BUS_INCOMPAT,
		.n_events = lo->n_events, .n_listeners = lo->n_listeners,
		.depth = lo->depth, .slot_size = lo->slot_size,
		.max_payload = lo->max_payload, .ring_budget = lo->ring_budget,
		.large_budget = lo->large_budget, .signature = lo->signature,
		.created = clock_ns(CLOCK_REALTIME),
		.region_end = lo->tables_end, .body_end = BODY_BASE,
	};
	ssize_t n;

	if (getrandom(lo->hash_key, sizeof(lo->hash_key), 0) != sizeof(lo->hash_key))
		return -EIO;
	memcpy(h.hash_key, lo->hash_key, sizeof(h.hash_key));
	n = pwrite(fd, &h, sizeof(h), 0);
	return n == sizeof(h) ? 0 : n < 0 ? -errno : -ENOSPC;
}

/* Fill in a file that nobody else can see yet. All tables start as zeros. */
static int fill(int fd, const struct aioevt_shm_config *config, struct layout *ret_lo)
{
	int err = choose_layout(fd, config, ret_lo);

	if (!err)
		err = bus_file_limit(ret_lo->tables_end);
	if (!err)
		err = bus_file_allocate(fd, 0, ret_lo->tables_end);
	return err < 0 ? err : write_header(fd, ret_lo);
}

static int set_mode(int fd, const struct aioevt_shm_config *config, uint32_t flags)
{
	bool group = flags & AIOEVT_SHM_GROUP;

	if (group && fchown(fd, (uid_t)-1, config->group) < 0)
		return -errno;
	return fchmod(fd, group ? 0660 : 0600) < 0 ? -errno : 0;
}

/*
 * Give a file that has no name yet its name. -EOPNOTSUPP: it cannot have one: without /proc, and
 * before Linux 6.10, that takes CAP_DAC_READ_SEARCH, open(2) on O_TMPFILE.
 */
static int link_fd(int fd, const char *path)
{
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, proc, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
		return 0;
	if (errno != ENOENT)
		return -errno;
	if (!linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH))
		return 0;
	return errno == ENOENT ? -EOPNOTSUPP : -errno;
}

/*
 * Lock the new file @fd. False: "aioevt gc" came first, and removes it. A file system without locks
 * keeps gc from locking the file too.
 */
static bool lock_temporary(int fd)
{
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return false;
	return fstat(fd, &st) < 0 || st.st_nlink;
}

/* Make a locked file whose name in @temp cannot be a bus. Returns its descriptor or an error. */
static int make_temporary(const struct bus_path *path, char *temp, size_t size)
{
	for (unsigned i = 0; i < MAX_LOST_LONG; i++) {
		int fd;

		snprintf(temp, size, "%s/.aioevt.%u.XXXXXX", path->dir, (unsigned)path->uid);
		fd = mkostemp(temp, O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (lock_temporary(fd))
			return fd;
		unlink(temp);
		close(fd);
	}
	return -EBUSY;
}

/* Where O_TMPFILE does not serve. */
static int create_named(const struct bus_path *path, const struct aioevt_shm_config *config,
			uint32_t flags, struct layout *lo, int *ret_fd)
{
	char temp[sizeof(path->dir) + 64];
	int fd = make_temporary(path, temp, sizeof(temp)), err;

	if (fd < 0)
		return fd;
	err = fill(fd, config, lo);
	if (!err)
		err = set_mode(fd, config, flags);
	if (!err && link(temp, path->path) < 0)
		err = -errno;
	unlink(temp);
	if (err < 0) {
		close(fd);
		return err;
	}
	flock(fd, LOCK_UN);
	*ret_fd = fd;
	return 0;
}

static int create_unnamed(const struct bus_path *path, const struct aioevt_shm_config *config,
			  uint32_t flags, struct layout *lo, int *ret_fd)
{
	int fd, err;

	fd = open(path->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EISDIR || errno == EINVAL ? -EOPNOTSUPP : -errno;
	err = fill(fd, config, lo);
	if (!err)
		err = set_mode(fd, config, flags);
	if (!err)
		err = link_fd(fd, path->path);
	if (err < 0)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}

static int create(const struct bus_path *path, const struct aioevt_shm_config *config,
		  uint32_t flags, int *ret_fd, struct layout *ret_layout)
{
	struct layout lo;
	int err = create_unnamed(path, config, flags, &lo, ret_fd);

	if (err == -EOPNOTSUPP)
		err = create_named(path, config, flags, &lo, ret_fd);
	if (err < 0)
		return err;
	*ret_layout = lo;
	return 0;
}

/*
 * Where a standard stream is closed, its number is the next to be given out: a program's message
 * on standard error would go into the bus, and read(0) would take it for input.
 */
static int leave_standard(int *fd)
{
	int other;

	if (*fd > STDERR_FILENO)
		return 0;
	other = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (other < 0) {
		int err = -errno;

		close(*fd);
		return err;
	}
	close(*fd);
	*fd = other;
	return 0;
}

static int open_or_create(const struct bus_path *path, const struct aioevt_shm_config *config,
			  uint32_t flags, int *ret_fd, struct layout *ret_layout)
{
	int err;

	if (flags & AIOEVT_SHM_EXCLUSIVE)
		return path->foreign ? -ENOENT : create(path, config, flags, ret_fd, ret_layout);
	/* Each round that fails saw somebody create the file, or remove it. */
	for (unsigned i = 0; i < MAX_LOST_LONG; i++) {
		err = open_existing(path, flags, ret_fd, ret_layout);
		if (err == -EAGAIN)
			continue;
		if (err != -ENOENT || flags & AIOEVT_SHM_EXISTING || path->foreign)
			return err;
		err = create(path, config, flags, ret_fd, ret_layout);
		if (err != -EEXIST)
			return err;
	}
	return -EBUSY;
}

int bus_file_open(const struct bus_path *path, const struct aioevt_shm_config *config,
		  uint32_t flags, int *ret_fd, struct layout *ret_layout)
{
	struct layout lo;
	int fd, err = open_or_create(path, config, flags, &fd, &lo);

	if (!err)
		err = leave_standard(&fd);
	if (err < 0)
		return err;
	*ret_fd = fd;
	*ret_layout = lo;
	return 0;
}

int bus_file_anonymous(const struct aioevt_shm_config *config, int *ret_fd,
		       struct layout *ret_layout)
{
	struct layout lo;
	int fd, err;

	fd = memfd_create("aioevt", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	err = fill(fd, config, &lo);
	/* Nobody shall cut it off, nor forbid to write to it. A file with a name has no seals. */
	if (!err && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		err = -errno;
	if (err < 0)
		close(fd);
	else
		err = leave_standard(&fd);
	if (err < 0)
		return err;
	*ret_fd = fd;
	*ret_layout = lo;
	return 0;
}
