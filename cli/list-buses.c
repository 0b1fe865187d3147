/* SPDX-License-Identifier: MIT */
/* aioevt list --buses. Buses are looked at from outside: nothing shows that they were. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buses.h"
#include "common.h"
#include "json.h"
#include "layout.h"

struct look {
	uint64_t memory;		/* bytes */
	char problem[64];		/* why it cannot be used; "" if it can */
};

static void look_at_content(int fd, struct look *look)
{
	uint64_t magic = 0;
	uint32_t version = 0;

	if (pread(fd, &magic, sizeof(magic), offsetof(struct bus_header, magic)) < 0 ||
	    pread(fd, &version, sizeof(version), offsetof(struct bus_header, version)) < 0)
		snprintf(look->problem, sizeof(look->problem), "%s", strerror(errno));
	else if (magic != BUS_MAGIC)
		snprintf(look->problem, sizeof(look->problem), "not a bus");
	else if (version != BUS_VERSION)
		snprintf(look->problem, sizeof(look->problem), "version %" PRIu32, version);
}

/* Returns 0, or -ENOENT if it went meanwhile. */
static int look_at(int dir, const struct bus_file *bus, struct look *ret_look)
{
	struct stat st;
	int fd;

	*ret_look = (struct look){ 0 };
	if (fstatat(dir, bus->file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -ENOENT;
	ret_look->memory = (uint64_t)st.st_blocks * 512;
	if (!S_ISREG(st.st_mode) || st.st_mode & S_IRWXO || (st.st_uid != bus->uid && st.st_uid)) {
		snprintf(ret_look->problem, sizeof(ret_look->problem), "its owner, mode or type");
		return 0;
	}
	fd = openat(dir, bus->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		snprintf(ret_look->problem, sizeof(ret_look->problem), "%s", strerror(errno));
		return errno == ENOENT ? -ENOENT : 0;
	}
	look_at_content(fd, ret_look);
	close(fd);
	return 0;
}

/* As --bus takes it. */
static void print_name(const struct bus_file *bus, char *buf, size_t size)
{
	if (bus->uid == geteuid())
		snprintf(buf, size, "%s", bus->name);
	else
		snprintf(buf, size, "%u:%s", (unsigned)bus->uid, bus->name);
}

static void print_json(const struct buses *buses, const struct bus_file *bus,
		       const struct look *look)
{
	char name[NAME_MAX + 16], owner[64], path[PATH_MAX + NAME_MAX + 2];

	print_name(bus, name, sizeof(name));
	buses_print_user(bus->uid, owner, sizeof(owner));
	snprintf(path, sizeof(path), "%s/%s", buses->dir, bus->file);
	fputs("{\"bus\":", stdout);
	check_memory(json_write_text(stdout, name, strlen(name)));
	printf(",\"uid\":%u,\"owner\":", (unsigned)bus->uid);
	check_memory(json_write_text(stdout, owner, strlen(owner)));
	printf(",\"memory\":%" PRIu64 ",\"usable\":%s,\"problem\":", look->memory,
	       look->problem[0] ? "false" : "true");
	if (look->problem[0])
		check_memory(json_write_text(stdout, look->problem, strlen(look->problem)));
	else
		fputs("null", stdout);
	fputs(",\"file\":", stdout);
	check_memory(json_write_text(stdout, path, strlen(path)));
	fputs("}\n", stdout);
}

static void print_row(const struct bus_file *bus, const struct look *look, int width)
{
	char name[NAME_MAX + 16], owner[64];

	print_name(bus, name, sizeof(name));
	buses_print_user(bus->uid, owner, sizeof(owner));
	printf("%-*s  %-12s  %9" PRIu64 "K  %s%s\n", width, name, owner, look->memory >> 10,
	       look->problem[0] ? "no: " : "yes", look->problem);
}

static int find_width(const struct buses *buses)
{
	size_t width = strlen("BUS");
	char name[NAME_MAX + 16];

	for (size_t i = 0; i < buses->n; i++) {
		print_name(&buses->v[i], name, sizeof(name));
		if (strlen(name) > width)
			width = strlen(name);
	}
	return (int)width;
}

static void print_all(const struct buses *buses, int dir, bool json)
{
	int width = find_width(buses);
	char path[PATH_MAX];
	struct look look;

	if (!json && buses->n)
		printf("%-*s  %-12s  %10s  %s\n", width, "BUS", "OWNER", "MEMORY", "USABLE");
	for (size_t i = 0; i < buses->n; i++) {
		/* Not a name that a bus may have, or that may be printed. */
		if (aioevt_shm_path(buses->v[i].name, path, sizeof(path)) < 0 ||
		    look_at(dir, &buses->v[i], &look) < 0)
			continue;
		if (json)
			print_json(buses, &buses->v[i], &look);
		else
			print_row(&buses->v[i], &look, width);
	}
}

int list_buses(bool json)
{
	struct buses buses;
	int status = buses_find(&buses), dir;

	if (status)
		return status;
	dir = open(*buses.dir ? buses.dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		complain("%s: %s", buses.dir, strerror(errno));
		status = STATUS_TROUBLE;
	} else {
		print_all(&buses, dir, json);
		close(dir);
		status = finish_output();
	}
	buses_deinit(&buses);
	return status;
}
