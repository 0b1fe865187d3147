/* SPDX-License-Identifier: MIT */
/* aioevt help: the manual page of a command, or its --help where there is no manual. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

static const char doc[] =
	"Show the manual page of COMMAND, or of aioevt; without one, its --help."
	"\v"
	"Status: 0 shown, 64 usage. See aioevt(1).";

struct help {
	struct bus_options bus;
	const char *command;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct help *help = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		help->bus.program = "aioevt help";
		state->child_inputs[0] = &help->bus;
		return 0;
	case ARGP_KEY_ARG:
		if (help->command)
			complain_usage("\"%.300s\": help takes one COMMAND", arg);
		help->command = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.parser = parse, .args_doc = "[COMMAND]", .doc = doc, .children = bus_children,
};

extern char **environ;

/* Is the page there? man(1) says a lot if it is not: ask first. */
static bool has_page(char *page)
{
	char *argv[] = { (char[]){ "man" }, (char[]){ "-w" }, (char[]){ "1" }, page, NULL };
	posix_spawn_file_actions_t quiet;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", 1, 0);
	posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", 1, 0);
	if (!posix_spawnp(&pid, "man", &quiet, NULL, argv, environ))
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&quiet);
	return status == 0;
}

int help_main(int argc, char **argv, const struct bus_options *bus)
{
	struct help help = { .bus = *bus };
	char page[64] = "aioevt";

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &help);
	if (help.command && !is_command(help.command))
		complain_usage("\"%.300s\" is no command; see aioevt --help", help.command);
	if (help.command)
		snprintf(page, sizeof(page), "aioevt-%s", help.command);
	signal(SIGCHLD, SIG_DFL);	/* ignored, the status of man(1) would be lost */
	if (has_page(page))
		execlp("man", "man", "1", page, (char *)NULL);
	return show_help(help.command);
}
