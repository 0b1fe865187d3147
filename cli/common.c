/* SPDX-License-Identifier: MIT */
#include "common.h"
#include "duration.h"
#include "safe.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX	1024

/* ---- messages ------------------------------------------------------------------- */

/* Not warnx(): what a message quotes may hold line breaks and terminal commands. */
static void print_line(const char *format, va_list args)
{
	char raw[MESSAGE_MAX], line[6 * MESSAGE_MAX + 16], piece[SAFE_MAX];
	char *out = line;
	uint32_t code;
	size_t len, n;

	vsnprintf(raw, sizeof(raw), format, args);
	len = strlen(raw);
	out = stpcpy(out, "aioevt: ");
	for (size_t i = 0; i < len; i += n) {
		n = safe_char(raw + i, len - i, &code, piece);
		out = stpcpy(out, piece);
	}
	*out++ = '\n';
	if (write(STDERR_FILENO, line, (size_t)(out - line)) < 0)
		return;		/* nobody to tell */
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
}

void complain_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
	end_program(STATUS_USAGE);
}

void end_program(int status)
{
	output_set_status(status);
	exit(status);
}

void check_memory(int err)
{
	if (err >= 0)
		return;
	complain("%s", strerror(-err));
	end_program(STATUS_TROUBLE);
}

int finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return STATUS_DONE;
	if (errno != EPIPE)	/* who reads no further does not want to hear of it */
		complain("standard output: %s", strerror(errno ? errno : EIO));
	return STATUS_TROUBLE;
}

/* ---- names ---------------------------------------------------------------------- */

static void __attribute__((__noreturn__))
complain_name(const char *what, const char *name, size_t offset, const char *why)
{
	if (name[offset])
		complain_usage("%s \"%.300s\": %s (0x%02x) at byte %zu", what, name, why,
			       (unsigned char)name[offset], offset);
	complain_usage("%s \"%.300s\": %s at byte %zu", what, name, why, offset);
}

void check_name(const char *name)
{
	const char *why = "";
	size_t offset = 0;

	if (aioevt_shm_name_check(name, strlen(name), &offset, &why) < 0)
		complain_name("event name", name, offset, why);
}

void check_pattern(const char *pattern)
{
	const char *why = "";
	size_t offset = 0;

	if (aioevt_shm_pattern_check(pattern, strlen(pattern), &offset, &why) < 0)
		complain_name("event name or pattern", pattern, offset, why);
}

uint64_t parse_duration(const char *option, const char *text)
{
	uint64_t ns = 0;
	int err;

	err = duration_parse(text, &ns);
	if (err == -ERANGE)
		complain_usage("%s \"%s\": over %" PRIu64 " s", option, text, DURATION_MAX);
	if (err < 0)
		complain_usage("%s \"%s\": not a number of seconds, or one with ms, s, m, h, d or w",
			       option, text);
	return ns;
}

/* ---- bus ------------------------------------------------------------------------ */

int bus_open(const struct bus_options *options, uint32_t flags,
	     struct aioevt_shm **ret_bus)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;

	if (options->has_group) {
		flags |= AIOEVT_SHM_GROUP;
		config.group = options->group;
	}
	return aioevt_shm_open(options->bus, &config, flags, ret_bus);
}

int bus_attach(const struct bus_options *options, uint32_t flags,
	       struct aioevt_shm **ret_bus)
{
	int err;

	err = bus_open(options, flags, ret_bus);
	if (err == -ENOENT && flags & AIOEVT_SHM_EXISTING) {
		*ret_bus = NULL;
		return STATUS_DONE;
	}
	return err < 0 ? bus_open_trouble(options, err) : STATUS_DONE;
}
