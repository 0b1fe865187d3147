/* SPDX-License-Identifier: MIT */
/* aioevt help: the manual page of a command, or its --help where there is no manual; other pages. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

static const char doc[] =
	"Show the manual page of COMMAND, or of aioevt; if it is not installed, the --help. "
	"Other pages: cookbook (everyday jobs), shm (the model), python (for its users)."
	"\v"
	"Status: 0 shown, 1 not installed, 64 usage. See aioevt-help(1).";

/* The pages of section 7 that are not about a command. */
static const char *const topics[] = { "cookbook", "shm", "python" };

struct help {
	struct bus_options bus;
	const char *subject;		/* a command or a topic */
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
		if (help->subject)
			complain_usage("\"%.300s\": help takes one COMMAND", arg);
		help->subject = arg;
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
static bool has_page(char *section, char *page)
{
	char *argv[] = { (char[]){ "man" }, (char[]){ "-w" }, section, page, NULL };
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

static bool is_topic(const char *subject)
{
	for (size_t i = 0; i < sizeof(topics) / sizeof(*topics); i++)
		if (!strcmp(topics[i], subject))
			return true;
	return false;
}

/* Become man(1) if the page is there; else return. */
static void show_page(char *section, char *page)
{
	signal(SIGCHLD, SIG_DFL);	/* ignored, the status of man(1) would be lost */
	if (has_page(section, page))
		execlp("man", "man", section, page, (char *)NULL);
}

int help_main(int argc, char **argv, const struct bus_options *bus)
{
	struct help help = { .bus = *bus };
	char page[64] = "aioevt", commands[] = "1", others[] = "7";

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &help);
	if (help.subject && !is_command(help.subject) && !is_topic(help.subject))
		complain_usage("\"%.300s\" is no command, nor cookbook, shm or python; see "
			       "aioevt --help", help.subject);
	if (help.subject)
		snprintf(page, sizeof(page), "aioevt-%s", help.subject);
	if (help.subject && is_topic(help.subject)) {
		show_page(others, page);
		complain("the manual page %s(7) is not installed, or there is no man(1)", page);
		return STATUS_TROUBLE;
	}
	show_page(commands, page);
	return show_help(help.subject);
}
