/* SPDX-License-Identifier: MIT */
/* The bus file: made whole or not at all, shared, full, removed. */

#include "bus.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "../shm/bus.h"
#include "layout.h"

static int n_files(void)
{
	DIR *dir = opendir(bus_dir);
	struct dirent *entry;
	int n = 0;

	check(dir != NULL);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
	closedir(dir);
	return n;
}

/* What one emits on @a, the other finds on @b. */
static void check_same_bus(struct aioevt_shm *a, struct aioevt_shm *b)
{
	struct aioevt_shm_event *ea = event_of(a, "same"), *eb = event_of(b, "same");
	struct aioevt_shm_event_info info;
	uint64_t seq = emit_u64(ea, 1);

	check_eq(aioevt_shm_event_get_info(eb, &info), 0);
	check_eq(info.last_seq, seq);
	aioevt_shm_event_close(ea);
	aioevt_shm_event_close(eb);
}

static void test_create(void)
{
	struct aioevt_shm *a, *b;
	struct aioevt_shm_info info;
	char expected[256];
	struct stat st;

	check_eq(try_open(NULL, AIOEVT_SHM_EXISTING), -ENOENT);
	check_eq(n_files(), 0);
	a = bus_open(NULL);
	snprintf(expected, sizeof(expected), "%s/aioevt.%u.%s", bus_dir, geteuid(), bus_name);
	check_str(bus_path(), expected);
	check_eq(stat(bus_file, &st), 0);
	check(S_ISREG(st.st_mode));
	check_eq(st.st_mode & 07777, 0600);
	check_eq(st.st_nlink, 1);
	check(st.st_blocks * 512 <= 4 << 20);
	check_eq(n_files(), 1);
	check_eq(aioevt_shm_get_info(a, &info), 0);
	check_eq(info.n_events, 4096);
	check_eq(info.n_listeners, 1024);
	check_eq(info.depth, 1024);
	check_eq(info.inline_size, 104);
	check_eq(info.max_payload, AIOEVT_SHM_PAYLOAD_MAX);
	check_eq(info.ring_budget, 64 << 20);
	check_eq(info.memory, st.st_blocks * 512);
	check_eq(info.events_used, 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);

	b = bus_open(NULL);
	check_same_bus(a, b);
	check_eq(aioevt_shm_get_info(b, &info), 0);
	check_eq(info.ports_used, 2);
	check_eq(info.events_used, 1);
	aioevt_shm_close(b);
	aioevt_shm_close(a);
	check_eq(stat(bus_file, &st), 0);
	check_eq(aioevt_shm_unlink(NULL), 0);
	check_eq(aioevt_shm_unlink(NULL), -ENOENT);
	check_eq(n_files(), 0);
}

static void test_group(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_shm *bus = NULL;
	struct stat st;

	config.group = getegid();
	check_eq(aioevt_shm_open("group", &config, AIOEVT_SHM_GROUP, &bus), 0);
	check(aioevt_shm_path("group", bus_file, sizeof(bus_file)) > 0);
	check_eq(stat(bus_file, &st), 0);
	check_eq(st.st_mode & 07777, 0660);
	check_eq(st.st_gid, getegid());
	aioevt_shm_close(bus);
	/* mine, so also without asking for a group */
	check_eq(try_open("group", 0), 0);
	check_eq(aioevt_shm_unlink("group"), 0);
}

static void test_names(void)
{
	static const char *const good[] = { "a", "A.b_c-9", "9", "-", "_", "x..y" };
	static const char *const bad[] = {
		"", ".", "..", ".hidden", "a/b", "/", "a b", "a\n", "\xc3\xa4", "a:b", ":a",
		"1:", "-1:a", "4294967295:a", "99999999999:a", "1:2:a", "0x1:a",
	};
	char name[80], buf[16], mine[32];
	struct aioevt_shm *bus = NULL;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		check_eq(try_open(good[i], 0), 0);
		check_eq(aioevt_shm_unlink(good[i]), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fprintf(stderr, "bad name %zu\n", i);
		check_eq(aioevt_shm_open(bad[i], NULL, 0, &bus), -EINVAL);
		check_eq(aioevt_shm_path(bad[i], bus_file, sizeof(bus_file)), -EINVAL);
		check_eq(aioevt_shm_unlink(bad[i]), -EINVAL);
	}
	memset(name, 'n', sizeof(name));
	name[64] = '\0';
	check_eq(try_open(name, 0), 0);
	check_eq(aioevt_shm_unlink(name), 0);
	name[64] = 'n';
	name[65] = '\0';
	check_eq(try_open(name, 0), -EINVAL);
	check_eq(aioevt_shm_path("a", buf, 4), -ENAMETOOLONG);
	check_eq(aioevt_shm_open("a", NULL, 1u << 30, &bus), -EINVAL);

	/* my own user id is no stranger; another's bus is never made */
	snprintf(mine, sizeof(mine), "%u:own", geteuid());
	check_eq(try_open(mine, 0), 0);
	check_eq(try_open("own", AIOEVT_SHM_EXISTING), 0);
	check_eq(aioevt_shm_unlink("own"), 0);
	check_eq(try_open("54321:own", 0), -ENOENT);
	check_eq(n_files(), 0);
	check(bus == NULL);
}

static void test_environment(void)
{
	char dir[128];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/none", bus_dir);
	setenv("AIOEVT_DIR", dir, 1);
	check_eq(try_open(NULL, 0), -ENOENT);
	setenv("AIOEVT_DIR", "", 1);
	setenv("AIOEVT_BUS", "", 1);
	snprintf(dir, sizeof(dir), "/dev/shm/aioevt.%u.default", geteuid());
	check_str(bus_path(), dir);
	setenv("AIOEVT_DIR", bus_dir, 1);
	setenv("AIOEVT_BUS", "other", 1);
	make_bus();
	check(strstr(bus_path(), ".other") != NULL);
	check_eq(stat(bus_file, &st), 0);
	check_eq(aioevt_shm_unlink("other"), 0);
	setenv("AIOEVT_BUS", bus_name, 1);
}

static void test_config(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT, bad;
	struct aioevt_shm *bus = NULL, *other = NULL;
	struct aioevt_shm_info info;
	const char *field = NULL;
	uint64_t min = 0, max = 0;

	check_eq(aioevt_shm_config_check(&config, &field, &min, &max), 0);
	check(!field);
#define BAD(member, value, least, most) do { \
	bad = config; bad.member = (value); field = NULL; \
	check_eq(aioevt_shm_config_check(&bad, &field, &min, &max), -EINVAL); \
	check_str(field, #member); check_eq(min, least); check_eq(max, most); \
	check_eq(aioevt_shm_open(NULL, &bad, 0, &bus), -EINVAL); \
} while (0)
	BAD(n_events, 63, 64, 32768);
	BAD(n_events, 32769, 64, 32768);
	BAD(n_listeners, 63, 64, 8192);
	BAD(n_listeners, 8193, 64, 8192);
	BAD(depth, 7, 8, 1048576);
	BAD(depth, 1048577, 8, 1048576);
	BAD(inline_size, 65513, 1, 65512);
	BAD(max_payload, AIOEVT_SHM_PAYLOAD_MAX + 1, 1, AIOEVT_SHM_PAYLOAD_MAX);
	BAD(size, sizeof(config) - 1, sizeof(config), sizeof(config));
#undef BAD
	check_eq(n_files(), 0);

	config = bus_config(65, 65, 9);
	config.inline_size = 41;
	config.max_payload = 1000;
	bus = bus_open(&config);
	other = bus_open(NULL);		/* who finds a bus takes it as it is */
	check_eq(aioevt_shm_get_info(other, &info), 0);
	check_eq(info.n_events, 128);
	check_eq(info.n_listeners, 128);
	check_eq(info.depth, 16);
	check_eq(info.inline_size, 104);
	check_eq(info.max_payload, 1000);
	aioevt_shm_close(bus);
	aioevt_shm_close(other);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_anonymous(void)
{
	struct aioevt_shm *a = NULL, *b = NULL;
	struct aioevt_shm_event *event;
	struct aioevt_shm_info info;

	check_eq(aioevt_shm_open(NULL, NULL, AIOEVT_SHM_ANONYMOUS, &a), 0);
	check_eq(aioevt_shm_open(NULL, NULL, AIOEVT_SHM_ANONYMOUS, &b), 0);
	check_eq(n_files(), 0);
	event = event_of(a, "mine");
	emit_u64(event, 1);
	check_eq(aioevt_shm_get_info(a, &info), 0);
	check_eq(info.events_used, 1);
	check_eq(aioevt_shm_get_info(b, &info), 0);
	check_eq(info.events_used, 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(a);
	aioevt_shm_close(b);
}

/* ---- at once ------------------------------------------------------------------------------- */

#define N_CREATORS	8

static int create_at_once(struct child *me, void *arg)
{
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;

	(void)arg;
	say(me, 'r');
	if (hear(me) != 'g')
		return 1;
	bus = bus_open(NULL);
	event = event_of(bus, "at.once");
	emit_u64(event, 1);
	say(me, 'd');
	hear(me);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return 0;
}

static void test_create_at_once(void)
{
	struct child child[N_CREATORS];
	struct aioevt_shm_event_info info;
	struct aioevt_shm_event *event;
	struct aioevt_shm *bus;

	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < N_CREATORS; i++)
			child[i] = spawn(create_at_once, NULL);
		for (int i = 0; i < N_CREATORS; i++)
			check_eq(hear(&child[i]), 'r');
		for (int i = 0; i < N_CREATORS; i++)
			say(&child[i], 'g');
		for (int i = 0; i < N_CREATORS; i++)
			check_eq(hear(&child[i]), 'd');
		check_eq(n_files(), 1);
		bus = bus_open(NULL);
		event = event_of(bus, "at.once");
		check_eq(aioevt_shm_event_get_info(event, &info), 0);
		check_eq(info.n_records, N_CREATORS);
		aioevt_shm_event_close(event);
		for (int i = 0; i < N_CREATORS; i++)
			say(&child[i], 'e');
		for (int i = 0; i < N_CREATORS; i++)
			end_child(&child[i]);
		aioevt_shm_close(bus);
		check_eq(aioevt_shm_unlink(NULL), 0);
	}
}

static int exclusively(struct child *me, void *arg)
{
	struct aioevt_shm *bus = NULL;
	int err;

	(void)arg;
	say(me, 'r');
	if (hear(me) != 'g')
		return 1;
	err = aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXCLUSIVE, &bus);
	say(me, !err ? 'o' : err == -EEXIST ? 'e' : '?');
	aioevt_shm_close(bus);
	return 0;
}

/* Of all who create it exclusively, one does. */
static void test_exclusive(void)
{
	struct child child[N_CREATORS];
	int n_opened = 0, n_refused = 0;

	for (int i = 0; i < N_CREATORS; i++)
		child[i] = spawn(exclusively, NULL);
	for (int i = 0; i < N_CREATORS; i++)
		check_eq(hear(&child[i]), 'r');
	for (int i = 0; i < N_CREATORS; i++)
		say(&child[i], 'g');
	for (int i = 0; i < N_CREATORS; i++) {
		int answer = hear(&child[i]);

		n_opened += answer == 'o';
		n_refused += answer == 'e';
		end_child(&child[i]);
	}
	check_eq(n_opened, 1);
	check_eq(n_refused, N_CREATORS - 1);
	check_eq(n_files(), 1);
	check_eq(try_open(NULL, AIOEVT_SHM_EXCLUSIVE | AIOEVT_SHM_EXISTING), -EINVAL);
	check_eq(try_open(NULL, AIOEVT_SHM_EXCLUSIVE | AIOEVT_SHM_ANONYMOUS), -EINVAL);
	check_eq(try_open("4000000000:other", AIOEVT_SHM_EXCLUSIVE), -ENOENT);
	check_eq(aioevt_shm_unlink(NULL), 0);
	check_eq(n_files(), 0);
}

/* A program whose standard streams are closed writes no message into the bus. */
static int closed_streams(struct child *me, void *arg)
{
	struct aioevt_shm *named = NULL, *anonymous = NULL;

	(void)arg;
	close(0);
	close(1);
	close(2);
	if (!aioevt_shm_open(NULL, NULL, 0, &named) &&
	    !aioevt_shm_open(NULL, NULL, AIOEVT_SHM_ANONYMOUS, &anonymous))
		say(me, named->fd > 2 && anonymous->fd > 2 ? 'y' : 'n');
	aioevt_shm_close(anonymous);
	aioevt_shm_close(named);
	return 0;
}

static void test_closed_streams(void)
{
	struct child child = spawn(closed_streams, NULL);

	check_eq(hear(&child), 'y');
	end_child(&child);
	child = spawn(closed_streams, NULL);		/* it is there now */
	check_eq(hear(&child), 'y');
	end_child(&child);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- removed ------------------------------------------------------------------------------- */

static void test_unlinked(bool politely)
{
	struct aioevt_shm *bus = bus_small(8), *fresh;
	struct aioevt_shm_event *event = event_of(bus, "gone"), *other = NULL;
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "gone", 0);
	struct aioevt_shm_record record;
	uint64_t began, value = 0;
	int err;

	emit_u64(event, 1);
	check_eq(read_u64(sub, &record, &value), 1);
	if (politely)
		check_eq(aioevt_shm_unlink(NULL), 0);
	else
		check_eq(unlink(bus_path()), 0);
	began = now_ns();
	check_eq(aioevt_shm_wait(listener, in_ms(5000), &sub), -ESTALE);
	check(now_ns() - began < 1500 * MS);
	check_eq(aioevt_shm_emit(event, "x", 1, NULL), -ESTALE);
	check_eq(aioevt_shm_event_open(bus, "gone", 0, &other), -ESTALE);
	check_eq(read_u64(sub, &record, &value), -ESTALE);
	fresh = bus_small(8);
	aioevt_shm_event_close(event);
	event = event_of(fresh, "gone");
	check_eq(emit_u64(event, 1), 1);
	/* by emit alone, with nobody who waits */
	if (politely)
		check_eq(aioevt_shm_unlink(NULL), 0);
	else
		check_eq(unlink(bus_path()), 0);
	began = now_ns();
	do {
		err = aioevt_shm_emit(event, "x", 1, NULL);
		check(now_ns() - began < 1200 * MS);
	} while (!err);
	check_eq(err, -ESTALE);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	aioevt_shm_close(fresh);
}

/* ---- limits -------------------------------------------------------------------------------- */

static void test_file_size_limit(void)
{
	struct rlimit limit, small;
	struct aioevt_shm_event *event = NULL, *open_before;
	struct aioevt_shm *bus;
	static char large[4096];

	/* SIGXFSZ would kill */
	signal(SIGXFSZ, SIG_DFL);
	check_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 65536;
	check_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	check_eq(try_open(NULL, 0), -EFBIG);
	check_eq(try_open(NULL, AIOEVT_SHM_ANONYMOUS), -EFBIG);
	check_eq(n_files(), 0);
	check_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	bus = bus_small(8);
	open_before = event_of(bus, "before");
	check_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	check_eq(aioevt_shm_event_open(bus, "after", 0, &event), -EFBIG);
	check_eq(aioevt_shm_event_grow(open_before, 1024), -EFBIG);
	check_eq(aioevt_shm_emit(open_before, large, sizeof(large), NULL), -EFBIG);
	check_eq(emit_u64(open_before, 1), 1);
	check_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	check_eq(aioevt_shm_emit(open_before, large, sizeof(large), NULL), 0);
	event = event_of(bus, "after");
	emit_u64(event, 1);
	aioevt_shm_event_close(event);
	aioevt_shm_event_close(open_before);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static void test_descriptor_limit(void)
{
	struct rlimit limit, small;

	check_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	small = limit;
	small.rlim_cur = 3;
	check_eq(setrlimit(RLIMIT_NOFILE, &small), 0);
	check_eq(try_open(NULL, 0), -EMFILE);
	check_eq(try_open(NULL, AIOEVT_SHM_ANONYMOUS), -EMFILE);
	check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	check_eq(try_open(NULL, AIOEVT_SHM_EXISTING), -ENOENT);
}

/* Ports: as many as there are, then -EUSERS; all of them again when they are closed. */
static void test_ports(void)
{
	struct aioevt_shm *bus[64], *more = NULL;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 64; i++)
			bus[i] = bus_small(8);
		check_eq(aioevt_shm_open(NULL, NULL, 0, &more), -EUSERS);
		aioevt_shm_close(bus[17]);
		bus[17] = bus_small(8);
		for (int i = 0; i < 64; i++)
			aioevt_shm_close(bus[i]);
	}
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(60);
	test_create();
	test_group();
	test_names();
	test_environment();
	test_config();
	test_anonymous();
	test_create_at_once();
	test_exclusive();
	test_closed_streams();
	test_file_size_limit();
	test_descriptor_limit();
	test_ports();
	test_unlinked(true);
	test_unlinked(false);
	return bus_end();
}
