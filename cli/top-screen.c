/* SPDX-License-Identifier: MIT */
/*
 * aioevt top on a terminal. Whatever ends it, but SIGKILL, puts the terminal back first:
 * signals are taken from a descriptor between two looks, exit() runs leave(). A message
 * comes after that, for the screen that it would be on is gone with it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "duration.h"
#include "top.h"

#define ENTER	"\033[?1049h\033[?25l"	/* the other screen, no cursor */
#define LEAVE	"\033[0m\033[?25h\033[?1049l"
#define HOME	"\033[H"
#define EOL	"\033[K\r\n"
#define CLEAR	"\033[0m\033[J"			/* to the end of the screen */

static struct {
	bool is_on;
	bool has_keys;			/* stdin is a terminal, whose modes were changed */
	struct termios modes;		/* as they were */
} terminal;

/* ---- the terminal --------------------------------------------------------------- */

static int write_all(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static void leave(void)
{
	if (!terminal.is_on)
		return;
	terminal.is_on = false;
	write_all(LEAVE, strlen(LEAVE));
	if (terminal.has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.modes);
}

/* Keys come one by one and are not shown; those that make signals still do. */
static int enter(void)
{
	struct termios modes;

	terminal.has_keys = tcgetattr(STDIN_FILENO, &terminal.modes) == 0;
	terminal.is_on = true;
	if (terminal.has_keys) {
		modes = terminal.modes;
		modes.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		modes.c_cc[VMIN] = 1;
		modes.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
	}
	return write_all(ENTER, strlen(ENTER));
}

/* ---- drawing -------------------------------------------------------------------- */

static void find_size(unsigned *ret_columns, unsigned *ret_lines)
{
	struct winsize size;

	*ret_columns = 80;
	*ret_lines = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		return;
	*ret_columns = size.ws_col;
	*ret_lines = size.ws_row;
}

static void print_summary(FILE *out, const struct top *top, unsigned columns)
{
	char line[512], rate[32], every[32];

	top_print_number(top->sum, rate, sizeof(rate));
	duration_print(top->interval, every, sizeof(every));
	snprintf(line, sizeof(line), "%s: %zu event%s, %s records/s, every %s%s%s",
		 bus_describe(&top->bus), top->now.rows.n, top->now.rows.n == 1 ? "" : "s", rate,
		 every, top->now.damaged[0] ? "; a damaged event, see aioevt doctor" : "",
		 top->now.dev || top->now.ino ? "" : "; there is no such bus yet");
	fprintf(out, "%.*s", (int)columns, line);
}

/* One column less than there are: what clears a line would take the last one away. */
static int draw(const struct top *top)
{
	const char *colours = getenv("NO_COLOR");
	bool is_plain = colours && *colours;
	unsigned columns, lines;
	char *text = NULL;
	size_t len = 0;
	FILE *out;
	int err;

	find_size(&columns, &lines);
	columns -= columns > 1;
	out = open_memstream(&text, &len);
	check_memory(out ? 0 : -ENOMEM);
	fputs(is_plain ? HOME : HOME "\033[1m", out);
	print_summary(out, top, columns);
	fputs(is_plain ? "" : "\033[0m", out);
	if (lines > 1)
		fputs(EOL, out);
	if (lines > 2)
		top_print_table(out, top, columns, lines - 2, EOL);
	if (lines > 1)
		fprintf(out, "%.*s\033[K", (int)columns,
			terminal.has_keys ? "q quit  s by rate  n by name" : "");
	fputs(CLEAR, out);
	err = fclose(out) ? -ENOMEM : 0;
	check_memory(err);
	err = write_all(text, len);
	free(text);
	return err;
}

/* ---- waiting -------------------------------------------------------------------- */

enum turn { TURN_LOOK, TURN_DRAW, TURN_QUIT };

static void list_signals(sigset_t *set)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH };
	struct sigaction now;

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(set, signals[i]);
}

/* Do what it does by default, and return only if it stopped this process, which goes on now. */
static void suffer(int number)
{
	sigset_t set;

	leave();
	sigemptyset(&set);
	sigaddset(&set, number);
	signal(number, SIG_DFL);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (number != SIGTSTP)
		_exit(128 + number);	/* process 1, which has no default actions */
	sigprocmask(SIG_BLOCK, &set, NULL);
	enter();
}

static enum turn take_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
	    info.ssi_signo != SIGWINCH)
		suffer((int)info.ssi_signo);
	return TURN_DRAW;
}

static enum turn take_key(struct top *top)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q')
		return TURN_QUIT;
	if (key == 's' || key == 'n') {
		top->by_name = key == 'n';
		top_sort(top);
	}
	return TURN_DRAW;
}

static enum turn wait_until(struct top *top, int signals, uint64_t when)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = terminal.has_keys ? STDIN_FILENO : -1, .events = POLLIN },
	};
	struct timespec now, left;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	ns = when > ns ? when - ns : 0;
	left.tv_sec = (time_t)(ns / NS_PER_S);
	left.tv_nsec = (long)(ns % NS_PER_S);
	if (ppoll(fds, 2, &left, NULL) <= 0)
		return TURN_LOOK;
	return fds[0].revents ? take_signal(signals) : take_key(top);
}

static int complain_output(int err)
{
	leave();
	if (err != -EIO)	/* else the terminal is gone */
		complain("standard output: %s", strerror(-err));
	return STATUS_TROUBLE;
}

static int run(struct top *top, int signals)
{
	enum turn turn = TURN_LOOK;
	int err;

	err = enter();
	if (err < 0)
		return complain_output(err);
	while (turn != TURN_QUIT) {
		if (turn == TURN_LOOK) {
			err = top_look(top);
			if (err < 0) {
				leave();
				return top_trouble(top, err);
			}
		}
		err = draw(top);
		if (err < 0)
			return complain_output(err);
		turn = wait_until(top, signals, top->now.when + top->interval);
	}
	return STATUS_DONE;
}

int top_screen(struct top *top)
{
	sigset_t set;
	int status, signals;

	list_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0) {
		complain("cannot watch for signals: %s", strerror(errno));
		return STATUS_TROUBLE;
	}
	atexit(leave);
	status = run(top, signals);
	leave();
	close(signals);
	return status;
}
