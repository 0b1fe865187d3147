/* The program beside another on its bus: full reader, small limits, foreign payloads. */
/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shm/bus.h"
#include "aioevt-shm.h"
#include "event.h"
#include "program.h"
#include "sweep.h"

#define DEPTH		8
#define MAX_PAYLOAD	4096
#define N_EVENTS	64
#define N_LISTENERS	64

static char dir[] = "/dev/shm/aioevt-test.XXXXXX";

static struct aioevt_shm *open_bus(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_shm *bus = NULL;

	config.n_events = N_EVENTS;
	config.n_listeners = N_LISTENERS;
	config.depth = DEPTH;
	config.max_payload = MAX_PAYLOAD;
	check_eq(aioevt_shm_open(NULL, &config, 0, &bus), 0);
	return bus;
}

/* A reliable reader that does not read: emit says whose fault it is, and list too. */
static void test_full(struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *listener;
	char expected[128];
	int i, status = 0;

	check_eq(aioevt_shm_listener_new(bus, &listener), 0);
	check_eq(aioevt_shm_listen(listener, "full", AIOEVT_SHM_RELIABLE,
				   AIOEVT_SHM_FROM_NEW, 0, NULL), 0);
	for (i = 0; i <= DEPTH && !status; i++)
		status = run("$PROGRAM emit full");
	check_eq(status, 1);
	check_eq(strncmp(output, "aioevt: ", 8), 0);
	snprintf(expected, sizeof(expected), "process %d is %d records behind",
		 (int)getpid(), i - 1);
	check_output(expected);
	check_output("nothing was emitted");

	check_eq(run("$PROGRAM list full --json"), 0);
	snprintf(expected, sizeof(expected), "\"slowest\":{\"lag\":%d,\"pid\":%d}}",
		 i - 1, (int)getpid());
	check_output(expected);
	check_output("\"reliable\":1,");
	check_eq(run("$PROGRAM list full"), 0);
	snprintf(expected, sizeof(expected), "  %d (pid %d)\n", i - 1, (int)getpid());
	check_output(expected);

	aioevt_shm_listener_free(listener);
	check_eq(run("$PROGRAM emit full"), 0);
}

/* Who was overtaken is told how many records it missed. */
static void test_missed(void)
{
	int i;

	for (i = 0; i <= DEPTH + 2; i++) {
		char command[64];

		snprintf(command, sizeof(command), "$PROGRAM emit missed %d", i);
		check_eq(run(command), 0);
	}
	check_eq(run("$PROGRAM wait missed --after 0 --timeout 0 --json"), 0);
	check_output("\"args\":[3],\"kwargs\":{},\"missed\":3}\n");
	check_eq(run("$PROGRAM wait missed --after 0 --timeout 0 2>/dev/null"), 0);
	check_str(output, "3\n");
	check_eq(run("$PROGRAM wait missed --after 0 --timeout 0 >/dev/null"), 0);
	check_str(output, "aioevt: event \"missed\": 3 records before number 4 were "
		  "missed\n");
}

static void test_small_payload(void)
{
	check_eq(run("head -c 4000 /dev/zero | $PROGRAM emit small --stdin"), 0);
	check_eq(run("head -c 5000 /dev/zero | $PROGRAM emit small --stdin"), 1);
	check_output("over the 4096 bytes");
	check_eq(run("$PROGRAM emit small $(printf %04096d 0)"), 1);
	check_output("the data takes 4102 bytes, over the 4096 bytes");
}

/* What wait cannot take for data it reports, and does not print. */
static void test_foreign_payload(struct aioevt_shm *bus)
{
	static const char *const payloads[] = { "", "hello", "\x82\x80" };
	struct aioevt_shm_event *event;
	char command[128], expected[128];
	uint64_t seq;
	size_t i, n;

	check_eq(aioevt_shm_event_open(bus, "foreign", 0, &event), 0);
	for (i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		n = strlen(payloads[i]);
		check_eq(aioevt_shm_emit(event, payloads[i], n, &seq), 0);
		snprintf(command, sizeof(command), "$PROGRAM wait foreign --after %d -t 0",
			 (int)seq - 1);
		check_eq(run(command), 1);
		snprintf(expected, sizeof(expected), "aioevt: event \"foreign\": record %d "
			 "(%zu bytes) was not written by aioevt\n", (int)seq, n);
		check_str(output, expected);
	}
	aioevt_shm_event_close(event);
}

/* Neither a port nor a listener stays, and nobody has to clean up. */
static void test_nothing_left(struct aioevt_shm *bus)
{
	struct aioevt_shm_info info;

	check_eq(run("$PROGRAM wait left \"left.*\" -- false"), 1);
	check_str(output, "");
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(info.ports_used, 1);
	check_eq(info.listeners_used, 0);
}

/* Who finds no place is told how many there are. */
static void test_taken(struct aioevt_shm *bus)
{
	struct aioevt_shm_listener *listeners[N_LISTENERS];
	struct aioevt_shm *others[N_LISTENERS - 1];
	int i;

	for (i = 0; i < N_LISTENERS; i++)
		check_eq(aioevt_shm_listener_new(bus, &listeners[i]), 0);
	check_eq(run("$PROGRAM wait taken"), 1);
	check_str(output, "aioevt: bus \"program\": 64 of 64 listeners are taken, by 2 "
		  "participants\n");
	for (i = 0; i < N_LISTENERS; i++)
		aioevt_shm_listener_free(listeners[i]);

	for (i = 0; i < N_LISTENERS - 1; i++)
		others[i] = open_bus();
	check_eq(run("$PROGRAM emit taken"), 1);
	check_str(output, "aioevt: every place on bus \"program\" is taken by a live "
		  "process\n");
	for (i = 0; i < N_LISTENERS - 1; i++)
		aioevt_shm_close(others[i]);
	check_eq(run("$PROGRAM emit taken"), 0);
}

/* Start wait for a pattern, stop it when it listens. Returns the pipe with its output. */
static FILE *start_stopped(struct aioevt_shm *bus, const char *format, pid_t *ret_pid)
{
	struct aioevt_shm_event_info info = { 0 };
	struct aioevt_shm_event *event;
	char command[256];
	int pid, status;
	FILE *pipe;

	/* The name comes after the pattern, and is to be seen from outside. */
	snprintf(command, sizeof(command), "echo $$; exec \"$PROGRAM\" wait \"lost.*\" "
		 "last -t 20 --format %s 2>&1", format);
	pipe = popen(command, "re");
	check(pipe != NULL);
	check_eq(fscanf(pipe, "%d", &pid), 1);
	check_eq(aioevt_shm_event_open(bus, "last", 0, &event), 0);
	while (!info.n_listeners)
		check_eq(aioevt_shm_event_get_info(event, &info), 0);
	aioevt_shm_event_close(event);
	check_eq(kill(pid, SIGSTOP), 0);
	check_eq(waitpid(pid, &status, WUNTRACED), pid);
	check(WIFSTOPPED(status));
	*ret_pid = pid;
	return pipe;
}

/* Events that a pattern did not get to see in time: wait says so, whatever the format. */
static void test_lost_events(struct aioevt_shm *bus)
{
	static const char *const formats[] = { "plain", "json", "shell" };
	struct aioevt_shm_event *event;
	char name[32];
	size_t i, n, f;
	FILE *pipe;
	pid_t pid;

	for (f = 0; f < sizeof(formats) / sizeof(*formats); f++) {
		pipe = start_stopped(bus, formats[f], &pid);
		for (i = 0; i < 3 * N_EVENTS; i++) {
			snprintf(name, sizeof(name), "lost.%zu-%zu", f, i);
			check_eq(aioevt_shm_event_open(bus, name, 0, &event), 0);
			check_eq(aioevt_shm_emit(event, "\x82\x80\xa0", 3, NULL), 0);
			aioevt_shm_event_close(event);
		}
		check_eq(kill(pid, SIGCONT), 0);
		n = fread(output, 1, sizeof(output) - 1, pipe);
		output[n] = '\0';
		check_eq(pclose(pipe), 0);
		check_output("aioevt: up to ");
		check_output(" events came and went unread\n");
	}
}

static void clean_up(void)
{
	char path[PATH_MAX];

	if (aioevt_shm_path(NULL, path, sizeof(path)) > 0)
		unlink(path);
	rmdir(dir);
}

/* A damaged event is named, and the others are listed all the same. */
static void test_damaged(struct aioevt_shm *bus)
{
	struct aioevt_shm_event *event = NULL;
	struct event *shared;
	uint64_t ring;

	check_eq(run("$PROGRAM emit damaged"), 0);
	check_eq(run("$PROGRAM emit whole"), 0);
	check_eq(aioevt_shm_event_open(bus, "damaged", 0, &event), 0);
	shared = event->map->event;
	ring = atomic_load(&shared->ring[0]);
	atomic_store(&shared->ring[0], 12345);
	check_eq(run("$PROGRAM list --json"), 1);
	check_output("event \"damaged\": the bus file is damaged");
	check_output("\"event\":\"whole\"");
	check_output("\"event\":\"missed\"");
	atomic_store(&shared->ring[0], ring);
	check_eq(run("$PROGRAM list --json"), 0);
	check_output("\"event\":\"damaged\"");
	aioevt_shm_event_close(event);
}

int main(void)
{
	struct aioevt_shm *bus;

	find_program();
	check(mkdtemp(dir) != NULL);
	sweep_after_me(dir);
	setenv("AIOEVT_DIR", dir, 1);
	setenv("AIOEVT_BUS", "program", 1);
	atexit(clean_up);

	bus = open_bus();
	test_full(bus);
	test_missed();
	test_small_payload();
	test_foreign_payload(bus);
	test_nothing_left(bus);
	test_taken(bus);
	test_damaged(bus);
	test_lost_events(bus);
	aioevt_shm_close(bus);

	clean_up();
	check_eq(access(dir, F_OK), -1);	/* nothing but the bus was there */
	return 0;
}
