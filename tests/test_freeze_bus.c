/* SPDX-License-Identifier: MIT */
/*
 * Who is killed, or stopped, at each instruction of creating a bus, attaching to one, closing
 * it, or removing it: others find a whole bus or none, and make one, or get -ESTALE and open
 * the next; there is one file, or none, never anything else.
 */
#include "freeze.h"

static struct aioevt_shm *own;		/* of the survivors, if there is no crew */

static unsigned count_files(unsigned *ret_strange)
{
	DIR *dir = opendir(getenv("AIOEVT_DIR"));
	struct dirent *entry;
	unsigned n = 0;

	check(dir != NULL);
	*ret_strange = 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' && strncmp(entry->d_name, ".aioevt", 7))
			continue;
		n++;
		*ret_strange += !!strncmp(entry->d_name, "aioevt.", 7);
	}
	closedir(dir);
	return n;
}

static void check_files(unsigned n)
{
	unsigned strange;

	check_eq(count_files(&strange), n);
	check_eq(strange, 0);
}

/* Two participants on one bus: what the one emits the other gets. */
static void use_bus(struct aioevt_shm *bus)
{
	struct aioevt_shm *other = bus_open(NULL);
	struct aioevt_shm_event *ev = event_of(bus, "used");
	struct aioevt_shm_listener *l = listener_of(other);
	struct aioevt_shm_sub *sub = sub_of(l, "used", 0), *which;
	struct aioevt_shm_record r;
	uint64_t value = 0, seq = emit_u64(ev, freeze_point.n);

	check_eq(aioevt_shm_wait(l, now_ns() + FREEZE_BOUND, &which), 0);
	check_eq(read_u64(sub, &r, &value), 1);
	check_eq(value, freeze_point.n);
	check_eq(r.seq, seq);
	aioevt_shm_listener_free(l);
	aioevt_shm_event_close(ev);
	aioevt_shm_close(other);
}

static void remove_bus(void)
{
	own = aioevt_shm_close(own);
	check_eq(aioevt_shm_unlink(NULL), 0);
	check_files(0);
}

/* ---- creation ---------------------------------------------------------------------------- */

static struct aioevt_shm_config small;

static void create_bus(void)
{
	freeze_told->err = aioevt_shm_open(NULL, &small, 0, &victim.bus);
}

static void survive_creator(void)
{
	unsigned strange;

	check(count_files(&strange) <= 1);
	check_eq(strange, 0);
	in_bound(own = bus_open(&small));
	in_bound(use_bus(own));
	check_files(1);
}

/* It is on the same bus. */
static void verify_created(void)
{
	struct aioevt_shm_info info;

	check_eq(freeze_told->err, 0);
	in_bound(use_bus(victim.bus));
	check_eq(aioevt_shm_get_info(victim.bus, &info), 0);
	check_eq(info.events_used, 1);
	check_eq(info.ports_used, 2);
}

/* The same memory as a bus that nobody was killed on. */
static void after_creator(void)
{
	static uint64_t memory;
	struct aioevt_shm_info info;
	struct aioevt_shm *other;

	in_bound(use_bus(own));
	for (unsigned i = 0; i < 4; i++) {
		other = bus_open(NULL);	/* reaps */
		aioevt_shm_close(other);
	}
	check_eq(aioevt_shm_get_info(own, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
	check_eq(info.events_used, 1);
	check(!memory || memory == info.memory);
	memory = info.memory;
	remove_bus();
}

static void create(void)
{
	struct freeze op = {
		.what = "create a bus", .act = create_bus, .verify = verify_created,
		.survive = survive_creator, .after = after_creator, .no_clean = true, .share = 4,
	};

	memset(&crew, 0, sizeof(crew));
	freeze_run(&op);
}

/* ---- removal ----------------------------------------------------------------------------- */

static void make_one(void)
{
	own = bus_open(&small);
}

static void unlink_bus(void)
{
	freeze_told->err = aioevt_shm_unlink(NULL);
}

/*
 * The one who has it open works on it, or is told -ESTALE at the next look at the file, and
 * others find it whole or make the next.
 */
static void survive_unlinker(void)
{
	struct aioevt_shm_info info;
	struct stat st;
	bool there = !stat(bus_path(), &st);
	int err;

	atomic_store(&own->checked, 0);
	bus_recheck(own, 1);
	in_bound(err = aioevt_shm_get_info(own, &info));
	check_eq(err, there ? 0 : -ESTALE);
	if (!there) {
		own = aioevt_shm_close(own);
		in_bound(own = bus_open(&small));
	}
	in_bound(use_bus(own));
	check_files(1);
}

/* One who goes on may remove the next one: that is the name it was told. */
static void after_unlinker(void)
{
	struct stat st;

	check(!freeze_told->err || freeze_point.mode != FREEZE_OVERTAKE);
	own = aioevt_shm_close(own);
	if (!stat(bus_path(), &st))
		check_eq(aioevt_shm_unlink(NULL), 0);
	check_files(0);
}

static void unlink_it(void)
{
	struct freeze op = {
		.what = "remove a bus", .arrange = make_one, .act = unlink_bus,
		.survive = survive_unlinker, .after = after_unlinker, .no_clean = true,
		.share = 3,
	};

	freeze_run(&op);
}

/* ---- attach and close ---------------------------------------------------------------------- */

static void attach(void)
{
	freeze_told->err = aioevt_shm_open(NULL, NULL, AIOEVT_SHM_EXISTING, &victim.bus);
}

static void verify_attached(void)
{
	struct aioevt_shm_info info;

	check_eq(freeze_told->err, 0);
	check_eq(aioevt_shm_get_info(victim.bus, &info), 0);
	check(info.port != crew.bus->port_index);
	use_bus(victim.bus);
	check_eq(aioevt_shm_event_remove(victim.bus, "used"), 0);
}

static void detach(void)
{
	victim.bus = aioevt_shm_close(victim.bus);
}

static void ready_forgetful(void)
{
	victim_open();
	victim.listener = listener_of(victim.bus);
	victim.sub = sub_of(victim.listener, "frozen", AIOEVT_SHM_RELIABLE);
}

static void forget_handles(void)
{
	aioevt_shm_close(victim.bus);
	memset(&victim, 0, sizeof(victim));
}

static void survive_forgetful(void)
{
	crew.may_hold = freeze_point.mode != FREEZE_KILL;
	crew_go_on();
}

static void after_forgetful(void)
{
	crew.may_hold = false;
	crew_emit();
	crew_laps();
}

static void attach_and_close(void)
{
	struct crew_config config = CREW_CONFIG(FREEZE_SMALL, .flags = 0);
	struct freeze attach_op = {
		.what = "attach", .act = attach, .verify = verify_attached, .share = 4,
	};
	struct freeze close_op = {
		.what = "close", .ready = victim_attach, .act = detach, .share = 2,
	};
	struct freeze forget_op = {
		.what = "close, with handles open", .ready = ready_forgetful,
		.act = forget_handles, .survive = survive_forgetful, .after = after_forgetful,
		.share = 2,
	};

	crew_begin(&config);
	freeze_run(&attach_op);
	freeze_run(&close_op);
	freeze_run(&forget_op);
	crew_end();
}

int main(void)
{
	freeze_begin();
	small = bus_config(64, 64, FREEZE_DEPTH);
	create();
	unlink_it();
	attach_and_close();
	return freeze_end();
}
