/* SPDX-License-Identifier: MIT */
/* aioevt: the subcommands and what comes before them. */
#include <string.h>

#include "common.h"

static const char doc[] =
	"Emit named events and wait for them, from any process of this machine.\v"
	"Commands:\n"
	"  emit NAME [ARG...] [KEY=VALUE...]   emit an event\n"
	"  wait NAME... [-- COMMAND [ARG...]]  wait for an event and print it\n"
	"  list [PATTERN]                      show the events of the bus\n"
	"  rm EVENT... | --bus NAME            remove events, or a bus\n"
	"  gc                                  remove the buses that nobody uses\n"
	"  doctor                              say whether the bus is healthy\n"
	"\n"
	"\"aioevt COMMAND --help\" tells more about each.\n"
	"\n"
	"Exit status: 0 done, 1 trouble, 6 incompatible bus, 7 permission or ownership, "
	"64 usage, 124 timed out; with wait -- COMMAND also COMMAND's own, or 126 if it "
	"cannot be run and 127 if it is not found.";

typedef int (*command_fn)(int argc, char **argv, const struct bus_options *bus);

static const struct {
	const char *name;
	command_fn run;
} commands[] = {
	{ "emit", emit_main },
	{ "wait", wait_main },
	{ "list", list_main },
	{ "rm", rm_main },
	{ "gc", gc_main },
	{ "doctor", doctor_main },
};

struct invocation {
	struct bus_options bus;
	command_fn run;
	int index;		/* of the command in argv */
};

static command_fn find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].run;
	complain_usage("\"%s\" is none of the commands emit, wait, list, rm, gc, doctor; see aioevt "
		       "--help", name);
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
};

int main(int argc, char **argv)
{
	static char name[] = "aioevt";
	struct invocation invocation = { 0 };

	if (argc > 0)
		argv[0] = name;
	argp_err_exit_status = STATUS_USAGE;
	aioevt_shm_guard_sigbus();	/* a truncated bus is an error like others */
	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &invocation);

	/* The command finds its own arguments behind argv[0]. */
	argv[invocation.index] = name;
	return invocation.run(argc - invocation.index, argv + invocation.index,
			      &invocation.bus);
}
