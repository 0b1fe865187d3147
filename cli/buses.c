/* SPDX-License-Identifier: MIT */
#include "buses.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define PREFIX		"aioevt."
#define UNFINISHED	".aioevt."

static void add(struct buses *buses, uid_t uid, const char *name, const char *file)
{
	struct bus_file *added;

	buses->v = reallocarray(buses->v, buses->n + 1, sizeof(*buses->v));
	check_memory(buses->v ? 0 : -ENOMEM);
	added = &buses->v[buses->n++];
	added->uid = uid;
	snprintf(added->name, sizeof(added->name), "%s", name);
	snprintf(added->file, sizeof(added->file), "%s", file);
}

/* Add @file if it is @prefix, the UID as aioevt_shm_path() writes it, and ".NAME". */
static void consider(struct buses *buses, const char *prefix, const char *file)
{
	const char *digits = file + strlen(prefix);
	unsigned long uid;
	char *end;

	if (strncmp(file, prefix, strlen(prefix)) || *digits < '0' || *digits > '9' ||
	    (digits[0] == '0' && digits[1] != '.'))
		return;
	errno = 0;
	uid = strtoul(digits, &end, 10);
	if (!errno && uid < UINT32_MAX && end[0] == '.' && end[1])
		add(buses, (uid_t)uid, end + 1, file);
}

static int compare(const void *a, const void *b)
{
	const struct bus_file *x = a, *y = b;

	return x->uid == y->uid ? strcmp(x->name, y->name) : x->uid < y->uid ? -1 : 1;
}

static int find(struct buses *buses, const char *prefix)
{
	struct dirent *entry;
	DIR *dir;
	int err;

	*buses = (struct buses){ 0 };
	err = aioevt_shm_path("x", buses->dir, sizeof(buses->dir));
	if (err < 0)
		return bus_open_trouble(&(struct bus_options){ .bus = "x" }, err);
	*strrchr(buses->dir, '/') = '\0';
	dir = opendir(*buses->dir ? buses->dir : "/");
	if (!dir) {
		complain("%s: %s", buses->dir, strerror(errno));
		return errno == EACCES ? STATUS_PERMISSION : STATUS_TROUBLE;
	}
	while ((entry = readdir(dir)))
		consider(buses, prefix, entry->d_name);
	closedir(dir);
	if (buses->n)
		qsort(buses->v, buses->n, sizeof(*buses->v), compare);
	return STATUS_DONE;
}

int buses_find(struct buses *buses)
{
	return find(buses, PREFIX);
}

int buses_find_unfinished(struct buses *buses)
{
	return find(buses, UNFINISHED);
}

void buses_deinit(struct buses *buses)
{
	free(buses->v);
	buses->v = NULL;
	buses->n = 0;
}

void buses_print_user(uid_t uid, char *buf, size_t size)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(buf, size, "%s", user->pw_name);
	else
		snprintf(buf, size, "user %u", (unsigned)uid);
}
