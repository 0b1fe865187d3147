/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_COMMON_H
#define AIOEVT_COMMON_H

/* What the subcommands share: exit statuses, messages, the bus and its options. */

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "aioevt-shm.h"
#include "cleanup.h"

enum {
	STATUS_DONE = 0,
	STATUS_TROUBLE = 1,
	STATUS_NONE = 2,	/* no record is held; no such bus */
	STATUS_MISSED = 3,	/* records were missed, and that was to be told */
	STATUS_GONE = 4,	/* the process that was watched */
	STATUS_TOO_FEW = 5,	/* listeners */
	STATUS_INCOMPATIBLE = 6,
	STATUS_PERMISSION = 7,
	STATUS_UNHEALTHY = 8,	/* the bus has problems */
	STATUS_USAGE = 64,
	STATUS_TIMEOUT = 124,
	STATUS_CANNOT_RUN = 126,
	STATUS_NOT_FOUND = 127,
};

/*
 * Print one line to stderr, whatever the arguments hold: it goes through safe_char().
 * complain_usage() also ends the program with STATUS_USAGE and belongs before the
 * bus is opened.
 */
void complain(const char *format, ...) __attribute__((__format__(printf, 1, 2)));
void complain_usage(const char *format, ...)
	__attribute__((__format__(printf, 1, 2), __noreturn__));

/* End the program. Not to be called where another thread still runs. */
void end_program(int status) __attribute__((__noreturn__));

/* End the program if @err, from a function that builds values, is negative. */
void check_memory(int err);

/*
 * Flush stdout. Returns the exit status: 0, or STATUS_TROUBLE after a message; without one if
 * nobody reads it any more.
 */
int finish_output(void);

struct bus_options {
	const char *bus;	/* NULL: the default */
	bool has_group;
	gid_t group;
	const char *group_text;	/* as it was given */
	const char *program;	/* for --help: "aioevt emit" */
};

/*
 * --bus, --group, --help and --version: a parser's children, whose input is a struct
 * bus_options. To be used with PARSE_FLAGS.
 */
#define PARSE_FLAGS (ARGP_IN_ORDER | ARGP_NO_HELP)
extern const struct argp bus_argp;
extern const struct argp_child bus_children[];		/* it alone */

/*
 * Attach. Returns 0 or the exit status, after a message. @flags as for aioevt_shm_open().
 * With AIOEVT_SHM_EXISTING a bus that is not there is no trouble: *ret_bus is NULL.
 */
int bus_attach(const struct bus_options *options, uint32_t flags,
	       struct aioevt_shm **ret_bus);

/*
 * Print what @err, from the engine, means for @event (may be NULL). @bus, where it comes
 * from, tells the limits; may be NULL. Returns the status.
 */
int bus_trouble(const struct bus_options *options, struct aioevt_shm *bus,
		const char *event, int err);

/* The same for -EFBIG or -ENOSPC when a payload over the inline limit was emitted. */
int payload_trouble(const struct bus_options *options, const char *event, size_t size,
		    const struct aioevt_shm_info *info, int err);

/* The same for an error of aioevt_shm_open(). */
int bus_open_trouble(const struct bus_options *options, int err);

/* Print of which version the bus that @seen does not know is. Returns the status. */
int bus_version_trouble(const struct bus_options *options,
			const struct aioevt_shm_inspection *seen);

/* aioevt_shm_open() with the options. */
int bus_open(const struct bus_options *options, uint32_t flags,
	     struct aioevt_shm **ret_bus);

/* "bus "NAME" of OWNER", in a buffer that the next call uses again: users of one name have several. */
const char *bus_describe(const struct bus_options *options);

/* End the program with STATUS_USAGE if it is no name of an event, or no pattern. */
void check_name(const char *name);
void check_pattern(const char *pattern);

/* The duration in ns that @option has, or end the program with STATUS_USAGE. */
uint64_t parse_duration(const char *option, const char *text);

static inline void bus_closep(struct aioevt_shm **bus)
{
	*bus = aioevt_shm_close(*bus);
}

static inline void event_closep(struct aioevt_shm_event **event)
{
	*event = aioevt_shm_event_close(*event);
}

/* The subcommands. Each gets its own arguments, argv[0] being "aioevt". */
int emit_main(int argc, char **argv, const struct bus_options *bus);
int wait_main(int argc, char **argv, const struct bus_options *bus);
int get_main(int argc, char **argv, const struct bus_options *bus);
int watch_main(int argc, char **argv, const struct bus_options *bus);
int create_main(int argc, char **argv, const struct bus_options *bus);
int on_main(int argc, char **argv, const struct bus_options *bus);
int list_main(int argc, char **argv, const struct bus_options *bus);
int rm_main(int argc, char **argv, const struct bus_options *bus);
int gc_main(int argc, char **argv, const struct bus_options *bus);
int doctor_main(int argc, char **argv, const struct bus_options *bus);
int top_main(int argc, char **argv, const struct bus_options *bus);
int bench_main(int argc, char **argv, const struct bus_options *bus);
int help_main(int argc, char **argv, const struct bus_options *bus);

/* Whether there is such a subcommand. */
bool is_command(const char *name);

/* Print its --help, or that of the program if it is NULL. Returns the status. */
int show_help(const char *command);

#endif
