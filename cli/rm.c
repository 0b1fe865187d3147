/* SPDX-License-Identifier: MIT */
/* aioevt rm */
#include <errno.h>
#include <stdlib.h>

#include "common.h"

static const char doc[] =
	"Remove events with their records, or the bus that --bus after \"rm\" names with all "
	"of its events. Who uses them goes on with fresh ones."
	"\v"
	"Status: 0 all removed, 1 not all, 6 7 64 as for all. See aioevt-rm(1).";

struct rm {
	struct bus_options bus;
	char **names;
	size_t n_names;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct rm *rm = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		rm->bus.program = "aioevt rm";
		state->child_inputs[0] = &rm->bus;
		rm->names = calloc((size_t)state->argc + 1, sizeof(*rm->names));
		check_memory(rm->names ? 0 : -ENOMEM);
		return 0;
	case ARGP_KEY_ARG:
		check_name(arg);
		rm->names[rm->n_names++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.parser = parse,
	.args_doc = "EVENT...\n--bus NAME",
	.doc = doc,
	.children = bus_children,
};

static int remove_events(const struct rm *rm)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	int status = STATUS_DONE, one, err;
	size_t i;

	err = bus_open(&rm->bus, AIOEVT_SHM_EXISTING, &bus);
	if (err < 0)
		return bus_open_trouble(&rm->bus, err);
	for (i = 0; i < rm->n_names; i++) {
		err = aioevt_shm_event_remove(bus, rm->names[i]);
		if (err == -ENOENT)
			complain("event \"%s\": not there", rm->names[i]);
		one = err == 0 ? STATUS_DONE : err == -ENOENT ? STATUS_TROUBLE :
		      bus_trouble(&rm->bus, bus, rm->names[i], err);
		if (one)
			status = one;
		if (err == -ESTALE)
			break;
	}
	return status;
}

static int remove_bus(const struct rm *rm)
{
	int err = aioevt_shm_unlink(rm->bus.bus);

	return err < 0 ? bus_open_trouble(&rm->bus, err) : STATUS_DONE;
}

int rm_main(int argc, char **argv, const struct bus_options *bus)
{
	struct rm rm = { .bus = *bus };
	int status;

	rm.bus.bus = NULL;
	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &rm);
	if (!rm.n_names && !rm.bus.bus)
		complain_usage("rm needs the name of an EVENT, or --bus NAME after it to remove "
			       "a bus; see aioevt rm --help");
	if (!rm.bus.bus)
		rm.bus.bus = bus->bus;

	status = rm.n_names ? remove_events(&rm) : remove_bus(&rm);
	free(rm.names);
	return status;
}
