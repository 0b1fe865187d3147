/* SPDX-License-Identifier: MIT */
/* aioevt create */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common.h"
#include "count.h"
#include "layout-compute.h"

#define ATTEMPTS	8		/* while others create and remove the bus */

static const char doc[] =
	"Make the bus, of the size and for whom the options say; or EVENTs on it, that hold "
	"as many records at least as --depth says. What is there already as it is asked for is "
	"fine."
	"\v"
	"Status: 0 it is there, 1 not so, or trouble, 6 7 64 as for all. See aioevt-create(1).";

enum { KEY_DEPTH = 0x100, KEY_SLOT, KEY_MODE, KEY_MAX_PAYLOAD, KEY_EVENTS, KEY_LISTENERS,
       KEY_BUDGET, KEY_LARGE, KEY_EXCLUSIVE };

static const struct argp_option options[] = {
	{ "depth", KEY_DEPTH, "N", 0, "Records that an event holds", 1 },
	{ "slot", KEY_SLOT, "BYTES", 0, "Of a record in the ring itself", 2 },
	{ "mode", KEY_MODE, "MODE", 0, "0600, or 0660 with --group", 2 },
	{ "max-payload", KEY_MAX_PAYLOAD, "BYTES", 0, "The most that a record carries", 2 },
	{ "events", KEY_EVENTS, "N", 0, "How many there may be", 2 },
	{ "listeners", KEY_LISTENERS, "N", 0, "How many there may be", 2 },
	{ "budget", KEY_BUDGET, "BYTES", 0, "Memory for the rings of all events: 64M, but a "
	  "quarter of the file system at most", 2 },
	{ "large-budget", KEY_LARGE, "BYTES", 0, "Memory for payloads over --slot: half of the "
	  "file system", 2 },
	{ "exclusive", KEY_EXCLUSIVE, NULL, 0, "The bus must be new", 2 },
	{ 0 }
};

#define MEMBER(name) \
	offsetof(struct aioevt_shm_config, name), \
	sizeof(((struct aioevt_shm_config *)NULL)->name)

/* Options that are members of the configuration. */
static const struct field {
	const char *option;
	size_t offset, size;
	bool is_bytes;
} fields[] = {
	[KEY_DEPTH - KEY_DEPTH] = { "--depth", MEMBER(depth), false },
	[KEY_SLOT - KEY_DEPTH] = { "--slot", MEMBER(inline_size), true },
	[KEY_MAX_PAYLOAD - KEY_DEPTH] = { "--max-payload", MEMBER(max_payload), true },
	[KEY_EVENTS - KEY_DEPTH] = { "--events", MEMBER(n_events), false },
	[KEY_LISTENERS - KEY_DEPTH] = { "--listeners", MEMBER(n_listeners), false },
	[KEY_BUDGET - KEY_DEPTH] = { "--budget", MEMBER(ring_budget), true },
	[KEY_LARGE - KEY_DEPTH] = { "--large-budget", MEMBER(large_budget), true },
};
#define N_FIELDS	(sizeof(fields) / sizeof(*fields))

struct create {
	struct bus_options bus;
	struct aioevt_shm_config config;
	const char *of_bus;		/* an option that is for a bus only */
	const char *mode_text;
	mode_t mode;			/* 0: not given */
	bool is_exclusive;
	char **events;
	size_t n_events;
};

/* ---- fields --------------------------------------------------------------------- */

static uint64_t get_field(const struct aioevt_shm_config *config, const struct field *field)
{
	uint64_t value = 0;		/* in which the narrow ones are the low half */

	memcpy(&value, (const char *)config + field->offset, field->size);
	return value;
}

static void set_field(struct aioevt_shm_config *config, const struct field *field, uint64_t value)
{
	memcpy((char *)config + field->offset, &value, field->size);
}

/* What the engine takes, which it tells of a value that is too large. */
static void find_limits(const struct field *field, uint64_t *ret_min, uint64_t *ret_max)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	const char *name;

	*ret_min = *ret_max = 0;
	set_field(&config, field, UINT64_MAX);
	aioevt_shm_config_check(&config, &name, ret_min, ret_max);
}

static void parse_field(struct create *create, const struct field *field, const char *text)
{
	uint64_t min, max;

	find_limits(field, &min, &max);
	set_field(&create->config, field, field->is_bytes ?
		  parse_size(field->option, text, min, max) :
		  parse_count(field->option, text, min, max));
}

/* ---- command line --------------------------------------------------------------- */

static mode_t parse_mode(const char *text)
{
	if (!strcmp(text, "0600") || !strcmp(text, "600"))
		return 0600;
	if (!strcmp(text, "0660") || !strcmp(text, "660"))
		return 0660;
	complain_usage("--mode \"%.300s\": not 0600, or 0660 with --group; a bus has no other",
		       text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct create *create = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		create->bus.program = "aioevt create";
		state->child_inputs[0] = &create->bus;
		create->events = calloc((size_t)state->argc + 1, sizeof(*create->events));
		check_memory(create->events ? 0 : -ENOMEM);
		return 0;
	case ARGP_KEY_ARG:
		check_name(arg);
		create->events[create->n_events++] = arg;
		return 0;
	case KEY_MODE:
		create->mode = parse_mode(arg);
		create->mode_text = arg;
		create->of_bus = "--mode";
		return 0;
	case KEY_EXCLUSIVE:
		create->is_exclusive = true;
		create->of_bus = "--exclusive";
		return 0;
	case KEY_DEPTH:
	case KEY_SLOT:
	case KEY_MAX_PAYLOAD:
	case KEY_EVENTS:
	case KEY_LISTENERS:
	case KEY_BUDGET:
	case KEY_LARGE:
		parse_field(create, &fields[key - KEY_DEPTH], arg);
		if (key != KEY_DEPTH)
			create->of_bus = fields[key - KEY_DEPTH].option;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[EVENT...]",
	.doc = doc,
	.children = bus_children,
};

static void check_together(const struct create *create)
{
	if (create->n_events && create->of_bus)
		complain_usage("%s is of a bus, not of the event \"%s\"; create the bus first",
			       create->of_bus, create->events[0]);
	if (create->mode == 0660 && !create->bus.has_group)
		complain_usage("--mode \"%s\": needs --group", create->mode_text);
	if (create->mode == 0600 && create->bus.has_group)
		complain_usage("--mode \"%s\": beside --group, which makes it 0660",
			       create->mode_text);
}

/* ---- a bus ---------------------------------------------------------------------- */

static int complain_field(const char *path, const char *option, uint64_t is, uint64_t asked)
{
	complain("%s exists with %s %" PRIu64 ", not %" PRIu64, path, option, is, asked);
	return STATUS_TROUBLE;
}

/* What it was made with, as far as it was asked for, each rounded up as for a new one. */
static int compare_config(const struct create *create, struct aioevt_shm *bus, const char *path)
{
	struct aioevt_shm_config is = AIOEVT_SHM_CONFIG_INIT, asked = create->config;
	struct aioevt_shm_info info;
	struct layout lo;
	int err;

	err = aioevt_shm_get_info(bus, &info);
	if (err < 0)
		return bus_trouble(&create->bus, bus, NULL, err);
	is.n_events = info.n_events;
	is.n_listeners = info.n_listeners;
	is.depth = info.depth;
	is.inline_size = info.inline_size;
	is.max_payload = info.max_payload;
	is.ring_budget = info.ring_budget;
	is.large_budget = info.large_budget;

	layout_from_config(&asked, &lo);
	asked.n_events = lo.n_events;
	asked.n_listeners = lo.n_listeners;
	asked.depth = lo.depth;
	asked.inline_size = lo.inline_size;
	for (size_t i = 0; i < N_FIELDS; i++)
		if (fields[i].option && get_field(&create->config, &fields[i]) &&
		    get_field(&is, &fields[i]) != get_field(&asked, &fields[i]))
			return complain_field(path, fields[i].option, get_field(&is, &fields[i]),
					      get_field(&asked, &fields[i]));
	return STATUS_DONE;
}

/* For whom it is. */
static int compare_mode(const struct create *create, const char *path)
{
	mode_t asked = create->bus.has_group ? 0660 : create->mode;
	struct stat st;

	if (!asked || stat(path, &st) < 0)
		return STATUS_DONE;
	if ((st.st_mode & 0777) != asked) {
		complain("%s exists with --mode %04o, not %04o", path, st.st_mode & 0777, asked);
		return STATUS_TROUBLE;
	}
	if (create->bus.has_group && st.st_gid != create->bus.group)
		return complain_field(path, "--group", st.st_gid, create->bus.group);
	return STATUS_DONE;
}

static int compare(const struct create *create, struct aioevt_shm *bus, const char *path)
{
	int status = compare_mode(create, path);

	return status ? status : compare_config(create, bus, path);
}

/* It does not fit into its file system. */
static int complain_space(const struct create *create, const char *path)
{
	struct aioevt_shm_config smallest = create->config;
	struct statvfs fs = { 0 };
	struct layout lo;
	char *dir = strndup(path, strrchr(path, '/') ? (size_t)(strrchr(path, '/') - path) : 0);

	check_memory(dir ? 0 : -ENOMEM);
	statvfs(dir, &fs);
	layout_fit(&smallest, 1);
	layout_from_config(&smallest, &lo);
	complain("%s: no space: at least, the tables of %" PRIu32 " events and %" PRIu32 " listeners take %"
		 PRIu64 " bytes, a ring of %" PRIu32 " records %" PRIu64 "; %s has %" PRIu64
		 " of %" PRIu64 " bytes free", path, lo.n_events, lo.n_listeners, lo.tables_end,
		 lo.depth, (uint64_t)lo.depth * lo.slot_size, dir,
		 (uint64_t)fs.f_bavail * fs.f_frsize, (uint64_t)fs.f_blocks * fs.f_frsize);
	free(dir);
	return STATUS_TROUBLE;
}

/* Returns 0 or the exit status, or -EEXIST: look again. */
static int create_or_compare(const struct create *create, const char *path)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	uint32_t flags = create->bus.has_group ? AIOEVT_SHM_GROUP : 0;
	int err = -ENOENT;

	if (!create->is_exclusive)
		err = aioevt_shm_open(create->bus.bus, NULL, flags | AIOEVT_SHM_EXISTING, &bus);
	if (err == 0)
		return compare(create, bus, path);
	if (err == -ENOENT)
		err = aioevt_shm_open(create->bus.bus, &create->config,
				      flags | AIOEVT_SHM_EXCLUSIVE, &bus);
	if (err == -ENOSPC)
		return complain_space(create, path);
	return err == 0 || err == -EEXIST ? err : bus_open_trouble(&create->bus, err);
}

static int create_bus(struct create *create)
{
	char path[PATH_MAX] = "";
	int status = -EEXIST;

	create->config.group = create->bus.group;
	aioevt_shm_path(create->bus.bus, path, sizeof(path));
	for (int i = 0; i < ATTEMPTS && status == -EEXIST && !(i && create->is_exclusive); i++)
		status = create_or_compare(create, path);
	if (status != -EEXIST)
		return status;
	if (!create->is_exclusive)
		return bus_open_trouble(&create->bus, -EBUSY);
	complain("%s exists already", path);
	return STATUS_TROUBLE;
}

/* ---- events --------------------------------------------------------------------- */

/* Returns 0 or the exit status, or -ESTALE. */
static int create_event(const struct create *create, struct aioevt_shm *bus, const char *name)
{
	_cleanup_(event_closep) struct aioevt_shm_event *event = NULL;
	int err;

	err = aioevt_shm_event_open(bus, name, 0, &event);
	if (err == 0 && create->config.depth)
		err = aioevt_shm_event_grow(event, create->config.depth);
	if (err == 0 || err == -ESTALE)
		return err;
	if (err != -EOVERFLOW)
		return bus_trouble(&create->bus, bus, name, err);
	complain("event \"%s\": it was made deeper 7 times already, the most that goes; remove "
		 "it first", name);
	return STATUS_TROUBLE;
}

/* The same of all of them. */
static int create_events_once(const struct create *create)
{
	_cleanup_(bus_closep) struct aioevt_shm *bus = NULL;
	int status, one;

	status = bus_attach(&create->bus, 0, &bus);
	if (status)
		return status;
	for (size_t i = 0; i < create->n_events; i++) {
		one = create_event(create, bus, create->events[i]);
		if (one == -ESTALE)
			return one;
		if (one)
			status = one;
	}
	return status;
}

static int create_events(const struct create *create)
{
	int status = -ESTALE;

	for (int i = 0; i < ATTEMPTS && status == -ESTALE; i++)
		status = create_events_once(create);
	return status == -ESTALE ? bus_trouble(&create->bus, NULL, NULL, status) : status;
}

int create_main(int argc, char **argv, const struct bus_options *bus)
{
	struct create create = { .bus = *bus, .config = AIOEVT_SHM_CONFIG_INIT };
	int status;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &create);
	check_together(&create);
	status = create.n_events ? create_events(&create) : create_bus(&create);
	free(create.events);
	return status;
}
