/* SPDX-License-Identifier: MIT */
/*
 * bench [-q] [-l] [NAME...]: the figures whose name contains one of NAME, or all.
 *
 * Each figure runs in a process of its own, so that a crash or a hang ends that figure
 * only. All buses live in a private directory that goes when the bench does. A figure that
 * is missed is no failure; one that could not be measured is.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS		9
#define ROUNDS_QUICK	3
#define FIGURE_S	30		/* the longest a figure may take */

static const struct figure figures[] = {
	{ "emit/no-listener", "publish into a ring", engine_emit, raw_publish,
	  NS_MAX, 30, 32, 0 },
	{ "emit/one-sleeper", "futex wake", engine_sleeper_call, raw_broadcast_call,
	  RATIO_MAX, 1.1, 32, 1 },
	{ "one-way/spinning-32", "cache line", engine_spin, raw_line,
	  RATIO_MAX, 1.5, 32, 0 },
	{ "one-way/spinning-32-lines", "a cache line each way", engine_spin, raw_lines,
	  RATIO_MAX, 1.5, 32, 0 },
	{ "one-way/spinning-64", "one-slot broadcast", engine_spin, raw_slot,
	  RATIO_MAX, 1.0, 64, 0 },
	{ "one-way/asleep", "futex", engine_asleep, raw_futex,
	  RATIO_MAX, 1.1, 32, 0 },
	{ "one-way/asleep-1ms", "futex", engine_asleep_idle, raw_futex_idle,
	  RATIO_MAX, 1.1, 32, 1 },
	{ "last-of/8-sleepers", "futex broadcast", engine_sleeper_last, raw_broadcast_last,
	  RATIO_MAX, 1.1, 32, 8 },
	{ "last-of/64-sleepers", "futex broadcast", engine_sleeper_last, raw_broadcast_last,
	  RATIO_MAX, 1.1, 32, 64 },
	{ "stream/64", "plain ring", stream_one, stream_raw,
	  RATE_MIN, 15e6, 64, 0 },
	{ "stream/64-two-emitters", "one emitter", stream_two, stream_one,
	  RATIO_MIN, 1.0, 64, 0 },
	{ "stream/64-sleeping", "polling", stream_sleeping, stream_one,
	  RATIO_MIN, 0.8, 64, 0 },
	{ "stream/1024", "plain ring", stream_one, stream_raw,
	  RATE_MIN, 4e6, 1024, 0 },
	{ "stream/1024-two-emitters", "one emitter", stream_two, stream_one,
	  RATIO_MIN, 1.0, 1024, 0 },
	{ "stream/1024-sleeping", "polling", stream_sleeping, stream_one,
	  RATIO_MIN, 0.8, 1024, 0 },
	{ "scale/64-events", "one event", scale_events, scale_events_one,
	  RATIO_MAX, 1.1, 32, 64 },
	{ "scale/4096-events", "one event", scale_events, scale_events_one,
	  RATIO_MAX, 1.1, 32, 4096 },
	{ "scale/1000-listeners", "none", scale_listeners, scale_listeners_none,
	  RATIO_MAX, 1.1, 32, 1000 },
	{ "manager/emit", "the engine's emit", manager_emit, engine_emit,
	  MORE_MAX, 60, 7, 0 },
	{ "manager/asleep", "futex", manager_asleep, raw_futex,
	  RATIO_MAX, 1.25, 0, 0 },
	{ "manager/libuv", "futex, eventfd, uv_poll", manager_libuv, raw_libuv,
	  RATIO_MAX, 1.25, 0, 0 },
	{ "stream/callbacks", "records, no callbacks", manager_rate, stream_one,
	  RATE_MIN, 5e6, 64, 0 },
	{ "manager/register", "1000 mappings", manager_register, raw_map,
	  NS_MAX, 50e6, 0, 0 },
	{ "command/emit", "empty program", command_emit, command_true,
	  RATIO_MAX, 1.1, 0, 0 },
	{ "command/emit-to-wait", "two programs, a futex", command_wait_pair,
	  command_true_pair, RATIO_MAX, 1.25, 0, 0 },
};
#define N_FIGURES (sizeof(figures) / sizeof(figures[0]))

static char dir[64];
static volatile sig_atomic_t stopped;

/* ---- one figure ------------------------------------------------------------------ */

static const char *format(char *text, size_t size, double value, bool is_rate)
{
	if (is_rate)
		snprintf(text, size, "%.2f M/s", value / 1e6);
	else if (value < 10000)
		snprintf(text, size, "%.1f ns", value);
	else if (value >= 1e7)
		snprintf(text, size, "%.1f ms", value / 1e6);
	else
		snprintf(text, size, "%.1f us", value / 1000);
	return text;
}

static bool is_met(const struct figure *fig, double value, double ratio)
{
	switch (fig->target) {
	case RATIO_MAX:
		return ratio <= fig->limit;
	case RATIO_MIN:
		return ratio >= fig->limit;
	case NS_MAX:
		return value <= fig->limit;
	case MORE_MAX:
		return value - value / ratio <= fig->limit;
	default:
		return value >= fig->limit;
	}
}

static void print_line(const struct figure *fig, double value, double reference,
		       double ratio)
{
	char text[2][32], target[32];
	bool is_rate = !strncmp(fig->name, "stream/", 7);

	switch (fig->target) {
	case RATIO_MAX:
		snprintf(target, sizeof(target), "<= %.2f x", fig->limit);
		break;
	case RATIO_MIN:
		snprintf(target, sizeof(target), ">= %.2f x", fig->limit);
		break;
	case NS_MAX:
		if (fig->limit < 1e6)
			snprintf(target, sizeof(target), "<= %.0f ns", fig->limit);
		else
			snprintf(target, sizeof(target), "<= %.0f ms", fig->limit / 1e6);
		break;
	case MORE_MAX:
		snprintf(target, sizeof(target), "<= +%.0f ns", fig->limit);
		break;
	default:
		snprintf(target, sizeof(target), ">= %.0f M/s", fig->limit / 1e6);
	}
	printf("%-25s %11s %11s  %-21s %6.2f  %-10s  %s\n", fig->name,
	       format(text[0], sizeof(text[0]), value, is_rate),
	       format(text[1], sizeof(text[1]), reference, is_rate), fig->reference, ratio,
	       target, is_met(fig, value, ratio) ? "yes" : "no");
	fflush(stdout);
}

/* In turns; the first round warms up. The ratio is the median of the rounds' ratios. */
static int figure_run(const struct figure *fig)
{
	double value[ROUNDS + 1], reference[ROUNDS + 1], ratio[ROUNDS + 1];
	unsigned i, n = bench_quick ? ROUNDS_QUICK : ROUNDS;
	int err;

	for (i = 0; i < n + 1; i++) {
		err = fig->measure(fig, &value[i]);
		if (!err)
			err = fig->measure_reference(fig, &reference[i]);
		if (err < 0)
			return err;
		ratio[i] = value[i] / reference[i];
	}
	print_line(fig, median(value + 1, n), median(reference + 1, n),
		   median(ratio + 1, n));
	return 0;
}

static void figure_child(const struct figure *fig)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	alarm(FIGURE_S);
	err = figure_run(fig);
	if (err == -ENOENT)
		printf("%-25s skipped: no program to start\n", fig->name);
	fflush(stdout);
	_exit(err && err != -ENOENT ? 1 : 0);
}

static int figure_supervise(const struct figure *fig)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		figure_child(fig);
	if (pid < 0)
		return -EAGAIN;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		if (stopped)
			kill(pid, SIGKILL);
	if (!status || stopped)
		return 0;
	if (WIFSIGNALED(status))
		printf("%-25s FAILED: %s\n", fig->name, strsignal(WTERMSIG(status)));
	else
		printf("%-25s FAILED\n", fig->name);
	return -EIO;
}

/* ---- the directory of the buses -------------------------------------------------- */

static void dir_empty(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *stream = opendir(dir);

	while (stream && (entry = readdir(stream))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (stream)
		closedir(stream);
}

static void dir_remove(void)
{
	dir_empty();
	rmdir(dir);
}

static int dir_make(void)
{
	snprintf(dir, sizeof(dir), "/dev/shm/bench.XXXXXX");
	if (!mkdtemp(dir))
		return task_error("/dev/shm", -errno);
	unsetenv("AIOEVT_BUS");
	return setenv("AIOEVT_DIR", dir, 1);
}

/* ---- the whole ------------------------------------------------------------------- */

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };	/* without SA_RESTART */

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static void print_head(void)
{
	struct utsname uts;

	if (!uname(&uts))
		printf("%s %s %s, %ld processors\n", uts.sysname, uts.release, uts.machine,
		       sysconf(_SC_NPROCESSORS_ONLN));
	printf("%-25s %11s %11s  %-21s %6s  %-10s  %s\n", "figure", "measured", "reference",
	       "", "ratio", "target", "met");
}

static void print_legend(void)
{
	printf("\nMedians of %u rounds, engine and reference in turns; ratio: median of each "
	       "round's.\n"
	       "cache line             one line written by both sides; \"each way\": one per "
	       "direction\n"
	       "one-slot broadcast     64 bytes behind a sequence lock that the reader polls\n"
	       "publish into a ring    fetch-and-add, copy, store\n"
	       "plain ring             one emitter, one reader, no sharing, both pause on "
	       "empty or full\n"
	       "two programs, a futex  an empty program starts and wakes another that sleeps "
	       "on a\n"
	       "                       word; from that start to the exit of the woken one\n",
	       bench_quick ? ROUNDS_QUICK : ROUNDS);
}

static bool is_chosen(const struct figure *fig, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strstr(fig->name, *names))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	bool list = false;
	int opt, err = 0;
	size_t i;

	while ((opt = getopt(argc, argv, "ql")) != -1) {
		if (opt != 'q' && opt != 'l') {
			fprintf(stderr, "usage: %s [-q] [-l] [NAME...]\n", argv[0]);
			return 64;
		}
		bench_quick |= opt == 'q';
		list |= opt == 'l';
	}
	command_init(argv[0]);
	task_pin(-1);
	if (!list && dir_make() < 0)
		return 1;
	catch_signals();
	if (!list)
		print_head();
	for (i = 0; i < N_FIGURES && !stopped; i++) {
		if (!is_chosen(&figures[i], argv + optind))
			continue;
		if (list)
			puts(figures[i].name);
		else if (figure_supervise(&figures[i]) < 0)
			err = 1;
		if (!list)
			dir_empty();
	}
	if (!list) {
		print_legend();
		dir_remove();
	}
	return stopped ? 130 : err;
}
