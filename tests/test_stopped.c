/* SPDX-License-Identifier: MIT */
/* A stopped reliable reader holds emitters up, by name, until it goes on or is killed. */

#include "bus.h"

#include <limits.h>
#include <sys/prctl.h>

#define DEPTH	8u

static int read_reliably(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_listener *listener = listener_of(bus);
	struct aioevt_shm_sub *sub = sub_of(listener, "e", AIOEVT_SHM_RELIABLE), *got;
	struct aioevt_shm_record record;
	uint64_t value = 0, expected = 0;

	(void)arg;
	/* stopped, it would outlive a test that fails */
	check_eq(prctl(PR_SET_PDEATHSIG, SIGKILL), 0);
	say(me, 'r');
	while (value != UINT64_MAX) {
		check_eq(aioevt_shm_wait(listener, in_ms(25000), &got), 0);
		check_eq(read_u64(sub, &record, &value), 1);
		check(value == expected++ || value == UINT64_MAX);
		check_eq(record.missed, 0);
	}
	aioevt_shm_listener_free(listener);
	aioevt_shm_close(bus);
	return 0;
}

/* Emits numbers from *arg on, and waits for room. */
static int emit_patiently(struct child *me, void *arg)
{
	struct aioevt_shm *bus = bus_small(DEPTH);
	struct aioevt_shm_event *event = event_of(bus, "e");
	uint64_t from = *(uint64_t *)arg;

	say(me, 'e');
	for (uint64_t i = from; i < from + 3 * DEPTH; i++)
		check_eq(aioevt_shm_emit_wait(event, &i, 8, in_ms(25000), NULL), 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	return 0;
}

static char output[4096];

static int run_program(const char *args)
{
	char path[PATH_MAX], command[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 20);
	size_t len;
	FILE *pipe;
	int status;

	check(n > 0);
	path[n] = '\0';
	strcpy(strrchr(path, '/'), "/../aioevt");
	snprintf(command, sizeof(command), "exec timeout -s KILL 20 '%s' %s 2>&1", path, args);
	pipe = popen(command, "re");
	check(pipe != NULL);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	status = pclose(pipe);
	check(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void check_output(const char *format, int pid)
{
	char expected[64];

	snprintf(expected, sizeof(expected), format, pid);
	if (!strstr(output, expected))
		check_str(output, expected);
}

static void test(int how)
{
	struct child reader = spawn(read_reliably, NULL), emitter;
	struct aioevt_shm_event_info info;
	struct aioevt_shm_event *event;
	uint64_t next = 0, began;
	struct aioevt_shm *bus;
	int err;

	check_eq(hear(&reader), 'r');
	bus = bus_small(DEPTH);
	event = event_of(bus, "e");
	stop_child(&reader);
	while (!(err = aioevt_shm_emit(event, &next, 8, NULL)))
		next++;
	check_eq(err, -EAGAIN);
	check(next >= DEPTH - 1 && next <= DEPTH);
	/* its number is in reach: in the library, in the message, in the list */
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.slowest_pid, reader.pid);
	check_eq(info.slowest_lag, next);
	check_eq(info.n_reliable, 1);
	check_eq(run_program("emit e"), 1);
	check_output("process %d ", reader.pid);
	check_eq(run_program("list"), 0);
	check_output("(pid %d)", reader.pid);
	check_eq(run_program("list --json"), 0);
	check_output("\"pid\":%d}", reader.pid);
	/* another event is none of its business, and waiting for it has its limit */
	check_eq(run_program("emit other"), 0);
	began = now_ns();
	check_eq(aioevt_shm_emit_wait(event, &next, 8, began + 100 * MS, NULL), -EAGAIN);
	check(now_ns() - began >= 100 * MS);

	emitter = spawn(emit_patiently, &next);
	check_eq(hear(&emitter), 'e');
	check_eq(kill(reader.pid, how), 0);
	if (how == SIGKILL)
		check(WIFSIGNALED(reap(&reader)));
	end_child(&emitter);		/* it went on */
	if (how == SIGCONT) {
		check_eq(aioevt_shm_emit_wait(event, &(uint64_t){ UINT64_MAX }, 8, in_ms(20000),
					      NULL), 0);
		end_child(&reader);	/* and the reader has seen all */
	}
	check_eq(aioevt_shm_event_get_info(event, &info), 0);
	check_eq(info.n_reliable, 0);
	check_eq(info.slowest_pid, 0);
	check_eq(aioevt_shm_emit(event, "x", 1, NULL), 0);
	aioevt_shm_event_close(event);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(100);
	test(SIGCONT);
	test(SIGKILL);
	return bus_end();
}
