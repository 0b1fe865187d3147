/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_BUS_FILE_H
#define AIOEVT_BUS_FILE_H

#include "aioevt-shm.h"
#include "layout.h"

/* Which file a bus name means. */
struct bus_path {
	char dir[4096];
	char path[4096 + 128];
	uid_t uid;			/* its owner, as asked for */
	int foreign;			/* asked for as "UID:NAME" of another user */
};

/* Returns 0, -EINVAL or -ENAMETOOLONG. */
int bus_path_resolve(const char *name, struct bus_path *ret_path);

/*
 * Open the bus file and check it, or create it. *ret_fd is to be closed, *ret_layout what
 * it holds. Errors as aioevt_shm_open().
 */
int bus_file_open(const struct bus_path *path, const struct aioevt_shm_config *config,
		  uint32_t flags, int *ret_fd, struct layout *ret_layout);

/* Open an existing one to look at it only. Its content was not checked. */
int bus_file_open_readonly(const struct bus_path *path, uint32_t flags, int *ret_fd);

/* A file with no name, for one process. */
int bus_file_anonymous(const struct aioevt_shm_config *config, int *ret_fd,
		       struct layout *ret_layout);

/*
 * Put memory behind @size bytes of the file. Signals are no error. If it fails, a part of them may
 * have some. Returns 0 or an error of fallocate(2).
 */
int bus_file_allocate(int fd, uint64_t offset, uint64_t size);

/* -EFBIG if RLIMIT_FSIZE forbids a write that ends at @end (it would raise SIGXFSZ). */
int bus_file_limit(uint64_t end);

#endif
