/* SPDX-License-Identifier: MIT */
/* aioevt: the subcommands and what comes before them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "output.h"

typedef int (*command_fn)(int argc, char **argv, const struct bus_options *bus);

static const struct command {
	const char *name;
	command_fn run;
	const char *summary;
} commands[] = {
	{ "emit", emit_main, "emit an event" },
	{ "wait", wait_main, "wait for events and print them" },
	{ "get", get_main, "print the last value of an event" },
	{ "watch", watch_main, "show all events live" },
	{ "create", create_main, "make a bus, or an event, of a certain size" },
	{ "on", on_main, "run a command for each record" },
	{ "list", list_main, "show the events of the bus" },
	{ "top", top_main, "watch the events, their rates and who lags" },
	{ "rm", rm_main, "remove events, or a bus" },
	{ "gc", gc_main, "remove the buses that nobody uses" },
	{ "doctor", doctor_main, "say whether the bus is healthy" },
	{ "bench", bench_main, "measure this machine in ten seconds" },
	{ "help", help_main, "show the page of a command; help cookbook: everyday jobs" },
};
#define N_COMMANDS	(sizeof(commands) / sizeof(*commands))

struct invocation {
	struct bus_options bus;
	command_fn run;
	int index;		/* of the command in argv */
};

/* ---- command line --------------------------------------------------------------- */

static const char doc[] =
	"Emit named events and wait for them, from any process of this machine.\v"
	"Status: 0 done, 1 trouble, 6 incompatible bus, 7 permission or ownership, 64 usage, "
	"124 timed out; see aioevt(1). \"aioevt COMMAND --help\" tells more.";

/* The commands, ahead of what comes after the options. */
static char *filter_help(int key, const char *text, void *input)
{
	char *list, *end;
	size_t size = 256;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC || !text)
		return (char *)(uintptr_t)text;
	for (size_t i = 0; i < N_COMMANDS; i++)
		size += strlen(commands[i].summary) + 16;
	list = malloc(size + strlen(text));
	check_memory(list ? 0 : -ENOMEM);
	end = stpcpy(list, "Commands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		end += sprintf(end, "  %-7s %s\n", commands[i].name, commands[i].summary);
	sprintf(end, "\n%s", text);
	return list;
}

static const struct command *look_up(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

bool is_command(const char *name)
{
	return look_up(name);
}

static command_fn find_command(const char *name)
{
	const struct command *command = look_up(name);
	char names[256] = "", *end = names;

	if (command)
		return command->run;
	for (size_t i = 0; i < N_COMMANDS; i++)
		end += snprintf(end, sizeof(names) - (size_t)(end - names), "%s%s",
				i ? ", " : "", commands[i].name);
	complain_usage("\"%.300s\" is none of the commands %s; see aioevt --help", name, names);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct invocation *invocation = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		invocation->bus.program = "aioevt";
		state->child_inputs[0] = &invocation->bus;
		return 0;
	case ARGP_KEY_ARG:
		invocation->run = find_command(arg);
		invocation->index = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		complain_usage("no command; see aioevt --help");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "COMMAND [ARG...]",
	.doc = doc,
	.children = bus_children,
	.help_filter = filter_help,
};

int show_help(const char *command)
{
	static char name[] = "aioevt", option[] = "--help";
	char *argv[] = { name, option, NULL };
	struct bus_options bus = { 0 };
	struct invocation invocation = { 0 };

	if (command)
		return look_up(command)->run(2, argv, &bus);
	argp_parse(&argp, 2, argv, PARSE_FLAGS, NULL, &invocation);
	return STATUS_DONE;
}

/*
 * A standard stream that the caller has closed stays closed: what is opened later, such as the
 * bus, must not take its number, or output would go there. Each gets what it cannot be used for.
 */
static void hold_streams(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

static void exit_as_killed(int number)
{
	_exit(128 + number);
}

/*
 * Let signals end this process also as process 1 of a container: there the kernel ignores a signal
 * that has no handler. COMMANDs that are run get the default action again, by execve(2).
 */
static void handle_as_init(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction now, action = { .sa_handler = exit_as_killed };

	if (getpid() != 1)
		return;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			sigaction(signals[i], &action, NULL);
}

int main(int argc, char **argv)
{
	static char name[] = "aioevt";
	struct invocation invocation = { 0 };

	if (argc > 0)
		argv[0] = name;
	hold_streams();
	handle_as_init();
	argp_err_exit_status = STATUS_USAGE;
	output_expect_shell(argc, argv);
	aioevt_shm_guard_sigbus();	/* a truncated bus is an error like others */
	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &invocation);

	/* The command finds its own arguments behind argv[0]. */
	argv[invocation.index] = name;
	end_program(invocation.run(argc - invocation.index, argv + invocation.index,
				   &invocation.bus));
}
