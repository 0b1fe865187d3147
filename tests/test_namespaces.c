/* SPDX-License-Identifier: MIT */
/* One bus for several PID and user namespaces: words and deaths pass, strangers do not. */

#include "ns.h"

#include <sys/prctl.h>

#include "../shm/bus.h"
#include "port.h"

#define DEPTH	8u

/* ---- PID namespaces ----------------------------------------------------------------------- */

struct inside {
	struct child gate;		/* stands in both namespaces' door */
	pid_t pid;			/* of who is inside, as seen from here */
};

struct entry {
	int flags;
	int (*fn)(struct child *me);
};

/* Become the parent of the first process of a new PID namespace; tell its number here. */
static int pass_gate(struct child *me, void *arg)
{
	struct entry *entry = arg;
	int status;
	pid_t pid;

	ns_enter(entry->flags, geteuid());
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		alarm(30);
		check_eq(getpid(), 1);
		_exit(entry->fn(me));
	}
	check_eq(write(me->out, &pid, sizeof(pid)), sizeof(pid));
	close(me->in);
	close(me->out);
	check_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

/* False: the kernel forbids it. */
static bool go_inside(int flags, int (*fn)(struct child *me), struct inside *ret_inside)
{
	struct entry entry = { flags, fn };
	struct inside in = { .gate = spawn(pass_gate, &entry) };

	/* the first word may be the inner one's */
	if (read(in.gate.in, &in.pid, sizeof(in.pid)) != sizeof(in.pid)) {
		check_eq(WEXITSTATUS(reap(&in.gate)), SKIP);
		return false;
	}
	*ret_inside = in;
	return true;
}

static void kill_inside(struct inside *in)
{
	check_eq(kill(in->pid, SIGKILL), 0);
	check_eq(WEXITSTATUS(reap(&in->gate)), 9);
}

static uint32_t n_ports(struct aioevt_shm *bus)
{
	struct aioevt_shm_info info;

	check_eq(aioevt_shm_get_info(bus, &info), 0);
	return info.ports_used;
}

/* Answers each "ask" with an "answer" and never reads "held": emitters of that are stuck. */
static int answer(struct child *me)
{
	struct aioevt_shm *bus;
	struct aioevt_shm_listener *listener, *lazy;
	struct aioevt_shm_event *event;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub, *got;
	uint64_t value;

	hear(me);			/* the gate's word went first */
	bus = bus_small(DEPTH);
	event = event_of(bus, "answer");
	listener = listener_of(bus);
	lazy = listener_of(bus);
	sub = sub_of(listener, "ask", 0);
	sub_of(lazy, "held", AIOEVT_SHM_RELIABLE);
	say(me, (char)(bus->port_index + 1));
	while (!aioevt_shm_wait(listener, in_ms(20000), &got)) {
		check_eq(read_u64(sub, &record, &value), 1);
		emit_u64(event, value + 1);
	}
	return 1;
}

/* Ask, and wait for the answer: both ways work. */
static void converse(struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "answer", 0), *got;
	struct aioevt_shm_event *event = event_of(bus, "ask");
	struct aioevt_shm_record record;
	uint64_t value = 0;

	for (uint64_t i = 0; i < 200; i++) {
		emit_u64(event, 2 * i);
		check_eq(aioevt_shm_wait(listener, in_ms(20000), &got), 0);
		check_eq(read_u64(sub, &record, &value), 1);
		check_eq(value, 2 * i + 1);
		check_eq(record.missed, 0);
	}
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
}

/* Stuck on a reader at @p, which lives; then it dies, and is cleaned up after. */
static void outlive(struct aioevt_shm *bus, uint32_t p, void (*end)(void *), void *arg)
{
	struct aioevt_shm_event *event = event_of(bus, "held");
	uint32_t before = n_ports(bus);
	int err;

	do {
		err = aioevt_shm_emit(event, "x", 1, NULL);
	} while (!err);
	check_eq(err, -EAGAIN);
	check(!port_is_dead(bus, p));
	check_eq(port_reap_all(bus), 0);
	end(arg);
	for (uint32_t i = 0; i < 3 * DEPTH; i++)
		check_eq(aioevt_shm_emit(event, "x", 1, NULL), 0);
	check(port_is_dead(bus, p));
	check_eq(port_reap(bus, p), 1);
	check_eq(n_ports(bus), before - 1);
	aioevt_shm_event_close(event);
}

static void end_inside(void *arg)
{
	kill_inside(arg);
}

/* Who is inside dies; who is outside cleans up. */
static bool test_death_inside(int flags)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct inside in;
	uint32_t p;

	if (!go_inside(flags, answer, &in)) {
		aioevt_shm_close(bus);
		check_eq(aioevt_shm_unlink(NULL), 0);
		return false;
	}
	say(&in.gate, 'g');
	p = (uint32_t)hear(&in.gate) - 1;
	check(p < 64);
	/* the number it goes by in there, which says nothing here */
	check_eq(atomic_load(&bus_port(bus, p)->pid), 1);
	converse(bus);
	outlive(bus, p, end_inside, &in);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
	return true;
}

static void ask_for_death(void *arg)
{
	struct child *me = arg;

	say(me, 'k');
	check_eq(hear(me), 'd');
}

static int watch_death(struct child *me)
{
	struct aioevt_shm *bus;
	uint32_t p;

	p = (uint32_t)hear(me) - 1;
	bus = bus_small(DEPTH);
	converse(bus);
	outlive(bus, p, ask_for_death, me);
	aioevt_shm_close(bus);
	return 0;
}

static int answer_outside(struct child *me, void *arg)
{
	(void)arg;
	return answer(me);
}

/* Who is outside dies; who is inside cleans up. */
static bool test_death_outside(int flags)
{
	struct child child = spawn(answer_outside, NULL);
	struct inside in;
	bool entered;
	char p;

	say(&child, 'g');
	p = hear(&child);
	entered = go_inside(flags, watch_death, &in);
	if (entered) {
		say(&in.gate, p);
		check_eq(hear(&in.gate), 'k');
		kill_child(&child);
		say(&in.gate, 'd');
		end_child(&in.gate);
	} else {
		kill_child(&child);
	}
	check_eq(aioevt_shm_unlink(NULL), 0);
	return entered;
}

/* Two that do not see each other, and both are number 1. */
static void test_siblings(int flags)
{
	struct inside one, other;
	char p;

	check(go_inside(flags, answer, &one));
	say(&one.gate, 'g');
	p = hear(&one.gate);
	check(go_inside(flags, watch_death, &other));
	say(&other.gate, p);
	check_eq(hear(&other.gate), 'k');
	kill_inside(&one);
	say(&other.gate, 'd');
	end_child(&other.gate);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static bool test_pid(int flags)
{
	if (!test_death_inside(flags))
		return false;
	check(test_death_outside(flags));
	test_siblings(flags);
	return true;
}

/* ---- user namespaces ------------------------------------------------------------------------ */

#define OTHER_UID	54321u

static unsigned user;			/* who has the bus */

static void become(unsigned uid)
{
	if (!geteuid() && uid) {
		check_eq(setresgid(uid, uid, uid), 0);
		check_eq(setresuid(uid, uid, uid), 0);
		check_eq(prctl(PR_SET_DUMPABLE, 1), 0);	/* /proc/self is its own again */
	}
}

/* Emits "e" on the bus that is @name for it. */
static int emit_on(const char *name, uint32_t flags)
{
	struct aioevt_shm *bus = NULL;
	struct aioevt_shm_event *event;
	int err = aioevt_shm_open(name, NULL, flags, &bus);

	if (err < 0)
		return err;
	event = event_of(bus, "e");
	emit_u64(event, 1);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return 0;
}

struct attempt {
	int map;			/* who it is inside; -1: nobody */
	const char *name;
	uint32_t flags;
	int expected;
};

static char by_uid[64];

/* In a user namespace of the owner's. */
static int try_inside(struct child *me, void *arg)
{
	const struct attempt *a = arg;
	int err;

	(void)me;
	become(user);
	if (a->map >= 0)
		ns_enter(CLONE_NEWUSER, (unsigned)a->map);
	else if (unshare(CLONE_NEWUSER) < 0)
		return ns_forbidden() ? SKIP : 1;
	err = emit_on(a->name, a->flags);
	if (err != a->expected) {
		fprintf(stderr, "as %d, bus \"%s\": %d, not %d\n", a->map, a->name, err,
			a->expected);
		return 1;
	}
	return 0;
}

/* The owner's bus is there, with somebody on it who hears what they say inside. */
static int hear_all(struct child *me, void *arg)
{
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub, *got;
	struct aioevt_shm *bus;
	uint64_t value;

	(void)arg;
	become(user);
	bus = bus_small(DEPTH);
	listener = listener_of(bus);
	sub = sub_of(listener, "e", 0);
	say(me, 'r');
	while (hear(me) == 'h') {
		check_eq(aioevt_shm_wait(listener, in_ms(20000), &got), 0);
		check_eq(read_u64(sub, &record, &value), 1);
	}
	check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return 0;
}

static int make_foreign(struct child *me, void *arg)
{
	struct aioevt_shm_config config = bus_config(64, 64, DEPTH);
	struct aioevt_shm *bus = NULL;

	(void)me;
	(void)arg;
	become(OTHER_UID);
	config.group = getegid();
	check_eq(aioevt_shm_open("alone", &config, 0, &bus), 0);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_open("shared", &config, AIOEVT_SHM_GROUP, &bus), 0);
	aioevt_shm_close(bus);
	return 0;
}

static bool test_users(void)
{
	const struct attempt attempts[] = {
		/* mapped to itself: its own bus, by name or by number */
		{ (int)user, NULL, 0, 0 },
		{ (int)user, by_uid, 0, 0 },
		/* root inside: the file is its own, but has another number in its name */
		{ 0, by_uid, 0, 0 },
		{ 0, NULL, AIOEVT_SHM_EXISTING, user ? -ENOENT : 0 },
		/* somebody else inside: the owner is not whom the name says */
		{ 777, by_uid, 0, -EPERM },
		{ 777, NULL, AIOEVT_SHM_EXISTING, -ENOENT },
		/* nobody inside: the bus is not for that one, but it may have its own */
		{ -1, by_uid, 0, -EPERM },
		{ -1, NULL, AIOEVT_SHM_EXISTING, -ENOENT },
		{ -1, "nobody", 0, 0 },
		/* another's */
		{ (int)user, "54321:alone", 0, -EACCES },
		{ (int)user, "54321:shared", AIOEVT_SHM_GROUP, -EACCES },
		{ 0, "54321:shared", AIOEVT_SHM_GROUP, -EACCES },
	};
	const size_t n = sizeof(attempts) / sizeof(attempts[0]) - (geteuid() ? 3 : 0);
	struct child listener, child;
	bool forbidden = false;
	char path[300];

	snprintf(by_uid, sizeof(by_uid), "%u:%s", user, bus_name);
	check_eq(chmod(bus_dir, 01777), 0);
	if (!geteuid()) {
		child = spawn(make_foreign, NULL);
		end_child(&child);
	}
	listener = spawn(hear_all, NULL);
	check_eq(hear(&listener), 'r');
	for (size_t i = 0; i < n && !forbidden; i++) {
		int status;

		child = spawn(try_inside, (void *)&attempts[i]);
		status = reap(&child);
		check(WIFEXITED(status));
		forbidden = WEXITSTATUS(status) == SKIP;
		if (forbidden)
			break;
		check_eq(WEXITSTATUS(status), 0);
		if (!attempts[i].expected && (!attempts[i].name || attempts[i].name == by_uid))
			say(&listener, 'h');
	}
	say(&listener, 'e');
	end_child(&listener);
	snprintf(path, sizeof(path), "%s/aioevt.%u.%s", bus_dir, user, bus_name);
	check_eq(unlink(path), 0);
	return !forbidden;
}

/* A bus that root of a namespace made: nobody outside takes it for root's, or its own. */
static int make_as_root(struct child *me, void *arg)
{
	(void)me;
	(void)arg;
	become(user);
	ns_enter(CLONE_NEWUSER, 0);
	return emit_on("false", 0) ? 1 : 0;
}

static int try_as_user(struct child *me, void *arg)
{
	(void)me;
	(void)arg;
	become(user);
	check_eq(emit_on("0:false", AIOEVT_SHM_GROUP), -EPERM);
	check_eq(emit_on("false", AIOEVT_SHM_EXISTING), -ENOENT);
	return 0;
}

static void test_false_root(void)
{
	struct child child = spawn(make_as_root, NULL);

	end_child(&child);
	if (!user)
		return;
	child = spawn(try_as_user, NULL);
	end_child(&child);
	if (!geteuid())
		check_eq(emit_on("false", 0), -EPERM);
}

int main(void)
{
	bool users, pids;

	bus_begin();
	alarm(100);
	user = geteuid() ? geteuid() : 12345;
	pids = test_pid(CLONE_NEWUSER | CLONE_NEWPID);
	if (!geteuid())
		pids = test_pid(CLONE_NEWPID) && pids;
	users = test_users();
	if (users)
		test_false_root();
	return bus_end() ? 1 : pids && users ? 0 : SKIP;
}
