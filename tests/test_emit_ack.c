/* SPDX-License-Identifier: MIT */
/*
 * "aioevt emit --ack" beside readers that hear by the program's own ear, as its commands do: one
 * that has not come back for more has not handled it, whatever it read ahead.
 */

#define bus_open bus_open_here	/* the program has another */
#include "bus.h"
#undef bus_open

#include <limits.h>
#include <spawn.h>
#include <stdarg.h>

#include "../cli/ear.h"

static char program[PATH_MAX];

/* The program lies one directory above the tests. */
static void find_program(void)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 20);

	check(n > 0);
	program[n] = '\0';
	strcpy(strrchr(program, '/'), "/../aioevt");
	if (access(program, X_OK))
		exit(SKIP);
}

struct command {
	pid_t pid;
	int err;			/* to be read from */
	char text[512];
};

static struct command start(const char *first, ...)
{
	char *argv[16] = { program, (char *)(uintptr_t)"emit", (char *)(uintptr_t)first };
	struct command c = { 0 };
	int pipes[2], n = 3;
	va_list args;

	va_start(args, first);
	while ((argv[n] = va_arg(args, char *)))
		n++;
	va_end(args);
	check_eq(pipe(pipes), 0);
	c.pid = fork();
	check(c.pid >= 0);
	if (!c.pid) {
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		alarm(30);
		execv(program, argv);
		_exit(99);
	}
	close(pipes[1]);
	c.err = pipes[0];
	return c;
}

static void finish(struct command *c, int status, const char *text)
{
	size_t len = 0;
	ssize_t n;
	int got;

	while ((n = read(c->err, c->text + len, sizeof(c->text) - 1 - len)) > 0)
		len += (size_t)n;
	close(c->err);
	check_eq(waitpid(c->pid, &got, 0), c->pid);
	check(WIFEXITED(got));
	if (WEXITSTATUS(got) != status)
		fprintf(stderr, "stderr: %s", c->text);
	check_eq(WEXITSTATUS(got), status);
	if (*text)
		check(strstr(c->text, text) != NULL);
	else
		check_str(c->text, "");
}

static struct bus_options options;

static void open_ear(struct ear *ear, char **names, size_t n)
{
	*ear = (struct ear)EAR_INIT;
	ear->options = &options;
	ear->names = names;
	ear->n_names = n;
	ear->flags = AIOEVT_SHM_RELIABLE;
	check_eq(ear_open(ear), 0);
}

static void hear_next(struct ear *ear, struct heard *heard, const char *event, uint64_t seq)
{
	check_eq(ear_hear(ear, in_ms(20000), heard), 0);
	check_str(heard->event, event);
	check_eq(heard->seq, seq);
}

#define NAMES(...) (char *[]){ __VA_ARGS__ }
static char one[] = "one", two[] = "two", all[] = ">";

/* @by_pattern: the ear may have several events, and then reads ahead. */
static void test_come_back(bool by_pattern)
{
	struct heard heard = { 0 };
	struct command c;
	struct ear ear;

	open_ear(&ear, by_pattern ? NAMES(all) : NAMES(one), 1);
	/* heard, not come back: not handled */
	c = start("one", "--ack", "1", "--need", "1", "--timeout", "300ms", NULL);
	hear_next(&ear, &heard, "one", 1);
	finish(&c, 5, "event \"one\": record 1 was emitted, and handled by 0 of 1 reliable "
		      "listeners in time");
	check_eq(ear_hear(&ear, 0, &heard), -ETIMEDOUT);

	c = start("one", "--ack", "1", "--timeout", "20", NULL);
	hear_next(&ear, &heard, "one", 2);
	check_eq(ear_hear(&ear, 0, &heard), -ETIMEDOUT);
	finish(&c, 0, "");

	/* said, and closed */
	c = start("one", "--ack", "1", NULL);
	hear_next(&ear, &heard, "one", 3);
	ear_handled(&ear);
	ear_close(&ear);
	finish(&c, 0, "");

	/* closed without a word */
	open_ear(&ear, by_pattern ? NAMES(all) : NAMES(one), 1);
	c = start("one", "--ack", "1", NULL);
	hear_next(&ear, &heard, "one", 4);
	ear_close(&ear);
	finish(&c, 5, "0 of 1 reliable listeners; no more are left");
	heard_deinit(&heard);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

static struct aioevt_shm *emit_two(void)
{
	struct aioevt_shm *bus = NULL;
	struct aioevt_shm_event *event;

	check_eq(aioevt_shm_open(NULL, NULL, 0, &bus), 0);
	check_eq(aioevt_shm_event_open(bus, "two", AIOEVT_SHM_PRECISE_TIME, &event), 0);
	check_eq(aioevt_shm_emit(event, "\x82\x80\xa0", 3, NULL), 0);
	aioevt_shm_event_close(event);
	return bus;
}

/* Until the record @seq of "one" is there. */
static void await_record(struct aioevt_shm *bus, uint64_t seq)
{
	struct aioevt_shm_event *event = event_of(bus, "one");
	struct aioevt_shm_event_info info = { 0 };
	uint64_t limit = in_ms(10000);

	while (info.last_seq < seq) {
		check_eq(aioevt_shm_event_get_info(event, &info), 0);
		check(now_ns() < limit);
	}
	aioevt_shm_event_close(event);
}

/* What the ear holds of one event while it hands out another's is not handled. */
static void test_held(void)
{
	struct heard heard = { 0 };
	struct aioevt_shm *bus;
	struct command c;
	struct ear ear;

	open_ear(&ear, NAMES(one, two), 2);
	bus = emit_two();		/* the older one, handed out first */
	c = start("one", "--ack", "1", "--timeout", "300ms", NULL);
	await_record(bus, 1);
	hear_next(&ear, &heard, "two", 1);
	finish(&c, 5, "handled by 0 of 1 reliable listeners in time");

	hear_next(&ear, &heard, "one", 1);
	check_eq(ear_hear(&ear, 0, &heard), -ETIMEDOUT);
	c = start("one", "--ack", "1", NULL);
	hear_next(&ear, &heard, "one", 2);
	aioevt_shm_close(bus);
	bus = emit_two();
	hear_next(&ear, &heard, "two", 2);	/* comes back: "one" is handled */
	finish(&c, 0, "");

	ear_close(&ear);
	aioevt_shm_close(bus);
	heard_deinit(&heard);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* By hand: who asks for more has not handled what came before; of several events each counts. */
static void test_by_hand(char **names, size_t n)
{
	struct heard heard = { 0 };
	struct aioevt_shm *bus;
	struct command c;
	struct ear ear;

	open_ear(&ear, names, n);
	ear.by_hand = true;
	c = start("one", "--need", "1", "--ack", "1", "--timeout", "300ms", NULL);
	hear_next(&ear, &heard, "one", 1);
	check_eq(ear_hear(&ear, 0, &heard), -ETIMEDOUT);
	finish(&c, 5, "handled by 0 of 1 reliable listeners in time");

	c = start("one", "--ack", "1", "--timeout", "20", NULL);
	hear_next(&ear, &heard, "one", 2);
	check_eq(ear_hear(&ear, 0, &heard), -ETIMEDOUT);
	bus = emit_two();
	if (*names != one || n > 1)
		hear_next(&ear, &heard, "two", 1);
	ear_handled_below(&ear, "one", UINT64_MAX);
	finish(&c, 0, "");

	c = start("one", "--ack", "1", "--timeout", "300ms", NULL);
	hear_next(&ear, &heard, "one", 3);
	ear_handled_below(&ear, "one", 3);
	ear_handled_below(&ear, "none", UINT64_MAX);
	finish(&c, 5, "handled by 0 of 1 reliable listeners in time");

	/* nor what is read ahead */
	c = start("one", NULL);
	finish(&c, 0, "");
	c = start("one", "--ack", "1", "--timeout", "300ms", NULL);
	await_record(bus, 5);
	hear_next(&ear, &heard, "one", 4);
	ear_handled_below(&ear, "one", UINT64_MAX);
	finish(&c, 5, "handled by 0 of 1 reliable listeners in time");
	ear_close(&ear);
	ear_handled_below(&ear, "one", UINT64_MAX);	/* of no listener */
	aioevt_shm_close(bus);
	heard_deinit(&heard);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

/* ---- killed ------------------------------------------------------------------------- */

static int hear_one(struct child *me, void *arg)
{
	struct heard heard = { 0 };
	struct ear ear;

	(void)arg;
	open_ear(&ear, NAMES(one), 1);
	say(me, 'r');
	check_eq(ear_hear(&ear, in_ms(20000), &heard), 0);
	say(me, 'h');
	if (hear(me) == 'g') {
		ear_handled(&ear);
		say(me, 'd');
	}
	hear(me);
	return 1;
}

/* Of two, one is killed at it: the other's counts, and the wait ends. */
static void test_killed(void)
{
	struct child a = spawn(hear_one, NULL), b = spawn(hear_one, NULL);
	struct command c;

	check_eq(hear(&a), 'r');
	check_eq(hear(&b), 'r');
	c = start("one", "--ack", "2", "--need", "2", NULL);
	check_eq(hear(&a), 'h');
	check_eq(hear(&b), 'h');
	say(&a, 'g');
	check_eq(hear(&a), 'd');
	kill_child(&a);			/* has done it before */
	kill_child(&b);
	finish(&c, 5, "handled by 1 of 2 reliable listeners; no more are left");
}

int main(void)
{
	bus_begin();
	find_program();
	alarm(100);
	test_come_back(false);
	test_come_back(true);
	test_held();
	test_by_hand(NAMES(one), 1);
	test_by_hand(NAMES(one, two), 2);
	test_by_hand(NAMES(all), 1);
	test_killed();
	return bus_end();
}
