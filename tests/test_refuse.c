/* SPDX-License-Identifier: MIT */
/* What is no bus, another's, or scribbled on, is refused with its cause, and harms nobody. */

#include "bus.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include "layout.h"

static void check_refused(int expected)
{
	check_eq(try_open(NULL, 0), expected);
	check_eq(try_open(NULL, AIOEVT_SHM_EXISTING), expected);
	check_eq(aioevt_shm_unlink(NULL), expected);
	check_eq(count_fds(), bus_fds);
}

static void test_wrong_owner(void)
{
	if (geteuid()) {
		fprintf(stderr, "not root: owners are not tested\n");
		return;
	}
	make_bus();
	check_eq(chown(bus_path(), 1, 1), 0);
	check_refused(-EPERM);
	check_eq(unlink(bus_file), 0);
}

static void test_wrong_type(void)
{
	char target[512];

	snprintf(target, sizeof(target), "%s/aioevt.target", bus_dir);
	make_bus();
	check_eq(rename(bus_path(), target), 0);
	check_eq(symlink(target, bus_file), 0);
	check_refused(-EPERM);
	check_eq(unlink(bus_file), 0);
	check_eq(unlink(target), 0);
	check_eq(symlink(target, bus_file), 0);		/* dangling */
	check_refused(-EPERM);
	check_eq(unlink(bus_file), 0);

	check_eq(mkdir(bus_file, 0700), 0);
	check_refused(-EPERM);
	check_eq(rmdir(bus_file), 0);
	check_eq(mkfifo(bus_file, 0600), 0);
	check_refused(-EPERM);
	check_eq(unlink(bus_file), 0);
	if (!mknod(bus_file, S_IFCHR | 0600, makedev(1, 5))) {
		check_refused(-EPERM);
		check_eq(unlink(bus_file), 0);
	}
}

static void test_wrong_mode(void)
{
	static const mode_t modes[] = { 0666, 0604, 0602, 0601, 0606, 0777 };

	make_bus();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		check_eq(chmod(bus_path(), modes[i]), 0);
		check_refused(-EPERM);
	}
	check_eq(chmod(bus_file, 0600), 0);
	check_eq(try_open(NULL, 0), 0);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_wrong_size(void)
{
	struct stat st;
	off_t sizes[9];
	char header[256];
	int fd;

	make_bus();
	check_eq(stat(bus_path(), &st), 0);
	memcpy(sizes, (off_t[]){ 0, 1, 8, 255, 256, 4096, 65536, st.st_size / 2,
				 st.st_size - 1 }, sizeof(sizes));
	for (int i = 8; i >= 0; i--) {
		check_eq(truncate(bus_file, sizes[i]), 0);
		check_refused(-ENOEXEC);
	}
	check_eq(unlink(bus_file), 0);

	/* right in all but that nothing is behind it */
	make_bus();
	fd = open(bus_file, O_RDWR);
	check(fd >= 0);
	check_eq(pread(fd, header, sizeof(header), 0), sizeof(header));
	check_eq(ftruncate(fd, 0), 0);
	check_eq(ftruncate(fd, st.st_size), 0);
	check_eq(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	close(fd);
	check_refused(-ENOEXEC);
	check_eq(unlink(bus_file), 0);

	make_bus();
	fd = open(bus_file, O_RDWR);
	check_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 65536), 0);
	close(fd);
	check_refused(-ENOEXEC);
	check_eq(unlink(bus_file), 0);
}

static void scribble(size_t offset, size_t size, uint64_t value)
{
	int fd = open(bus_path(), O_RDWR | O_CLOEXEC);

	check(fd >= 0);
	check_eq(pwrite(fd, &value, size, (off_t)offset), size);
	close(fd);
}

static void test_wrong_header(void)
{
	static const struct {
		size_t offset, size;
	} fields[] = {
#define FIELD(f) { offsetof(struct bus_header, f), sizeof(((struct bus_header *)0)->f) }
		FIELD(magic), FIELD(version), FIELD(incompat), FIELD(n_events),
		FIELD(n_listeners), FIELD(depth), FIELD(slot_size), FIELD(max_payload),
		FIELD(signature),
#undef FIELD
	};
	struct bus_header good;
	uint64_t seed = 77;
	int fd;

	make_bus();
	fd = open(bus_path(), O_RDWR);
	check(fd >= 0);
	check_eq(pread(fd, &good, sizeof(good), 0), sizeof(good));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		for (int k = 0; k < 12; k++) {
			uint64_t value = k == 0 ? 0 : k == 1 ? UINT64_MAX :
					 k == 2 ? 1 : k == 3 ? 2 : random_u64(&seed);

			if (!memcmp((char *)&good + fields[i].offset, &value, fields[i].size))
				continue;
			scribble(fields[i].offset, fields[i].size, value);
			check_eq(try_open(NULL, 0), -ENOEXEC);
			check_eq(pwrite(fd, &good, sizeof(good), 0), sizeof(good));
		}
	close(fd);
	check_eq(try_open(NULL, 0), 0);
	scribble(offsetof(struct bus_header, version), 4, 2);
	check_eq(try_open(NULL, 0), -ENOEXEC);
	check_eq(aioevt_shm_unlink(NULL), 0);
	check_eq(access(bus_file, F_OK), -1);
}

/* Whatever is done on a bus somebody scribbles on: errors, no crash, no hang. */
static void use_all(struct aioevt_shm *bus)
{
	struct aioevt_shm_event *event = NULL;
	struct aioevt_shm_listener *listener = NULL;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_record records[4];
	struct aioevt_shm_info info;
	static char buf[8192];
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;

	aioevt_shm_get_info(bus, &info);
	while (aioevt_shm_event_next(bus, &walk, name) == 1)
		;
	aioevt_shm_listener_new(bus, &listener);
	if (listener) {
		if (!aioevt_shm_listen(listener, "used", AIOEVT_SHM_RELIABLE,
				       AIOEVT_SHM_FROM_LAST, 5, &sub))
			aioevt_shm_read(sub, records, 4, buf, sizeof(buf));
		aioevt_shm_listen(listener, ">", 0, AIOEVT_SHM_FROM_NEW, 0, &sub);
	}
	if (!aioevt_shm_event_open(bus, "used", 0, &event)) {
		aioevt_shm_emit(event, "x", 1, NULL);
		aioevt_shm_emit(event, buf, sizeof(buf), NULL);
		aioevt_shm_event_grow(event, 16);
		aioevt_shm_emit(event, "x", 1, NULL);
		aioevt_shm_event_close(event);
	}
	if (listener && !aioevt_shm_wait(listener, in_ms(5), &sub))
		aioevt_shm_read(sub, records, 4, buf, sizeof(buf));
	aioevt_shm_event_remove(bus, "used");
	aioevt_shm_listener_free(listener);
}

/* Every other field of the header, before attaching and after. */
static void test_scribbled_header(void)
{
	struct aioevt_shm_config config = bus_config(64, 64, 8);
	uint64_t seed = 99, began;

	for (size_t offset = 0; offset < sizeof(struct bus_header); offset += 8)
		for (int k = 0; k < 4; k++) {
			uint64_t value = k == 0 ? 0 : k == 1 ? UINT64_MAX :
					 k == 2 ? random_u64(&seed) : 1;
			struct aioevt_shm *before = bus_open(&config), *after = NULL;

			began = now_ns();
			use_all(before);
			scribble(offset, 8, value);
			if (!aioevt_shm_open(NULL, NULL, 0, &after))
				use_all(after);
			use_all(before);
			aioevt_shm_close(after);
			aioevt_shm_close(before);
			check_eq(unlink(bus_path()), 0);
			if (now_ns() - began > 1000 * MS)
				fprintf(stderr, "offset %zu value %#" PRIx64 ": %.1f s\n",
					offset, value, (double)(now_ns() - began) / 1e9);
			check(now_ns() - began < 10000 * MS);
		}
}

/* All over the tables. */
static void test_scribbled_tables(void)
{
	struct aioevt_shm_config config = bus_config(64, 64, 8);
	uint64_t seed = 1234, began = now_ns();
	struct stat st;

	for (int round = 0; round < 60 && now_ns() - began < 1500 * MS; round++) {
		struct aioevt_shm *bus = bus_open(&config);

		use_all(bus);
		check_eq(stat(bus_path(), &st), 0);
		for (int i = 0; i < 200; i++) {
			uint64_t at = random_u64(&seed) % ((uint64_t)st.st_size / 8 - 32);

			scribble(256 + at * 8, 8, i % 3 ? random_u64(&seed) : 1);
		}
		use_all(bus);
		aioevt_shm_close(bus);
		check_eq(unlink(bus_file), 0);
	}
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_wrong_owner();
	test_wrong_type();
	test_wrong_mode();
	test_wrong_size();
	test_wrong_header();
	test_scribbled_header();
	test_scribbled_tables();
	return bus_end();
}
