/* SPDX-License-Identifier: MIT */
/* The options that every subcommand has. */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>

#include "common.h"

static const struct argp_option bus_options[] = {
	{ "bus", 'b', "NAME", 0,
	  "The bus (default: $AIOEVT_BUS, or \"default\")", 10 },
	{ "group", 'g', "GROUP", 0,
	  "Share a new bus with GROUP; accept a shared one", 10 },
	{ "help", 'h', NULL, 0, "Print this help, or the version", 20 },
	{ NULL, '?', NULL, OPTION_ALIAS | OPTION_HIDDEN, NULL, 20 },
	{ "version", 'V', NULL, OPTION_ALIAS, NULL, 20 },	/* but for the line of the help */
	{ 0 }
};

/*
 * Not argp's own --help, which knows the program as argv[0] only, while errors are to begin
 * with "aioevt" and no more.
 */
static void help(const struct bus_options *options, struct argp_state *state)
{
	state->name = (char *)(uintptr_t)options->program;
	setenv("ARGP_HELP_FMT", "no-dup-args-note", false);
	argp_state_help(state, stdout, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK);
	end_program(finish_output());
}

static void print_version(void)
{
	puts("aioevt " AIOEVT_VERSION);
	end_program(finish_output());
}

/* By hand, so that a statically linked program needs no name service modules. */
static bool find_group(const char *name, gid_t *ret_group)
{
	struct group *group;
	bool found = false;
	FILE *file;

	file = fopen("/etc/group", "re");
	if (!file)
		return false;
	while (!found && (group = fgetgrent(file))) {
		found = !strcmp(group->gr_name, name);
		if (found)
			*ret_group = group->gr_gid;
	}
	fclose(file);
	return found;
}

static gid_t parse_group(const char *text)
{
	const char *why = NULL;
	long long number;
	gid_t group = 0;

	if (find_group(text, &group))
		return group;
	number = strtonum(text, 0, UINT32_MAX - 1, &why);
	if (why)
		complain_usage("--group \"%s\": neither in /etc/group nor a number from 0 "
			       "to %u", text, UINT32_MAX - 1);
	return (gid_t)number;
}

static error_t parse_bus_option(int key, char *arg, struct argp_state *state)
{
	struct bus_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;	/* argp's hint names --usage, which is none */
		return 0;
	case ARGP_KEY_ERROR:
		complain_usage("see %s --help", options->program);
	case 'b':
		options->bus = arg;
		return 0;
	case 'g':
		options->group = parse_group(arg);
		options->group_text = arg;
		options->has_group = true;
		return 0;
	case 'h':
		help(options, state);
		return 0;
	case 'V':
		print_version();
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp bus_argp = { .options = bus_options, .parser = parse_bus_option };

const struct argp_child bus_children[] = { { &bus_argp, 0, NULL, 0 }, { 0 } };
