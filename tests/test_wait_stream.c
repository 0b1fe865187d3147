/* aioevt wait beside a stream that does not pause: what it missed is exact, and it still ends. */
/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>

#include "aioevt-shm.h"
#include "program.h"
#include "sweep.h"

#define DEPTH		8
#define N_LETTERS	150

static char dir[] = "/dev/shm/aioevt-test.XXXXXX";
static struct aioevt_shm *bus;
static atomic_bool is_over;

static void emit_payload(const char *name, unsigned n, const void *payload, size_t size)
{
	struct aioevt_shm_event *event;

	check_eq(aioevt_shm_event_open(bus, name, 0, &event), 0);
	while (n--)
		check_eq(aioevt_shm_emit(event, payload, size, NULL), 0);
	aioevt_shm_event_close(event);
}

static void emit(const char *name, unsigned n)
{
	emit_payload(name, n, "\x82\x80\xa0", 3);	/* [[], {}] */
}

/* The numbers and what was missed before them, of the last command, which ended with @status. */
static void check_run(const char *command, int status, const char *expected)
{
	char got[256] = "", *end = got;
	int result = run(command);

	if (result != status)
		fprintf(stderr, "%s: %s\n", command, output);
	check_eq(result, status);
	for (char *at = output; (at = strstr(at, "\"seq\":")) && end < got + 200; at++)
		end += sprintf(end, "%s%ld-%ld", end == got ? "" : " ", atol(at + 6),
			       atol(strstr(at, "\"missed\":") + 9));
	check_str(got, expected);
}

#define NEXT(names)	"$PROGRAM wait " names " --cursor-file $AIOEVT_DIR/cursor -t 0 --json --strict "

static void test_missed(void)
{
	emit("e", 2);
	check_run(NEXT("e \"p.>\""), 124, "");
	emit("e", 3);
	check_run(NEXT("e \"p.>\" --follow"), 124, "3-0 4-0 5-0");
	emit("e", 20);
	emit("p.x", 20);
	check_run(NEXT("e"), 3, "18-12");
	check_run(NEXT("e --count 7"), 0, "19-0 20-0 21-0 22-0 23-0 24-0 25-0");
	check_run(NEXT("e"), 124, "");
	/* an event that came later: what it held at first */
	check_run(NEXT("\"p.>\""), 3, "13-12");
	check_run(NEXT("\"p.>\" --count 7"), 0, "14-0 15-0 16-0 17-0 18-0 19-0 20-0");
	emit("p.x", 9);
	emit("e", 9);
	check_run(NEXT("\">\" --where \"event =~ \\\"x\\\"\""), 3, "22-1");
}

static void *emit_on(void *arg)
{
	unsigned char letters[N_LETTERS + 5] = { 0x82, 0x81, 0x78, N_LETTERS };	/* [["aa..."], {}] */

	(void)arg;
	memset(letters + 4, 'a', N_LETTERS);
	letters[N_LETTERS + 4] = 0xa0;
	while (!atomic_load(&is_over)) {
		emit("s", 64);
		emit_payload("slow", DEPTH, letters, sizeof(letters));
	}
	return NULL;
}

/* A condition that takes some 30 ms: meanwhile the ring is filled again, and never found empty. */
#define CONDITION	"args[0] =~ \"(a*)\\\\1b\""
#define SLOW		"slow \"t.>\" --where \"$CONDITION\" "

/* There is always one more, so that only the time of a record can tell that it came too late. */
static void test_end(void)
{
	pthread_t thread;

	check(!pthread_create(&thread, NULL, emit_on, NULL));
	check_eq(run("$PROGRAM wait " SLOW "-t 0.2 2>/dev/null"), 124);
	check_eq(run("$PROGRAM wait " SLOW "--follow -t 0.2 2>/dev/null"), 124);
	check_eq(run("$PROGRAM wait s --count 1000000000 -t 0.2 >/dev/null 2>&1"), 124);
	check_eq(run("sleep 0.2 & exec $PROGRAM wait " SLOW "--while-alive $! 2>/dev/null"), 4);
	check_eq(run("$PROGRAM wait " SLOW "-- sh -c \"sleep 0.2; exit 9\" 2>/dev/null"), 9);
	check_eq(run("sleep 0.2 & exec $PROGRAM wait s --follow --while-alive $! >/dev/null 2>&1"), 4);
	check_eq(run("$PROGRAM wait s --follow --count 5000 --json --strict"
		     " --cursor-file $AIOEVT_DIR/cursor 2>&1 >/dev/null | wc -l"), 0);
	check_str(output, "0\n");
	atomic_store(&is_over, true);
	pthread_join(thread, NULL);
}

int main(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	char command[100];

	find_program();
	unsetenv("AIOEVT_BUS");
	check(mkdtemp(dir) != NULL);
	sweep_after_me(dir);
	setenv("AIOEVT_DIR", dir, 1);
	setenv("CONDITION", CONDITION, 1);
	config.depth = DEPTH;
	check_eq(aioevt_shm_open(NULL, &config, 0, &bus), 0);

	test_missed();
	test_end();

	aioevt_shm_close(bus);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}
