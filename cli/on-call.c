/* SPDX-License-Identifier: MIT */
#include "on-call.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "on-words.h"
#include "output.h"
#include "variable.h"
#include "wire.h"

extern char **environ;

#define STRING_MAX	131072u		/* Linux: MAX_ARG_STRLEN, with the NUL */
#define ARGS_MIN	131072u		/* Linux: what is taken in all, at least */
#define ARGS_MAX	6291456u	/* and at most; between, a quarter of the stack */
#define SLACK		8192u		/* for the path, and for that of an interpreter */
#define OMITTED_MAX	4096u		/* bytes of AIOEVT_OMITTED */
#define OMITTED_ROOM	(OMITTED_MAX + 64u)	/* that are kept free for all of the variable */

/* ---- strings ---------------------------------------------------------------------- */

static void strings_add(struct strings *strings, char *string)
{
	size_t room = strings->room ? 2 * strings->room : 64;
	char **v;

	if (strings->n + 1 >= strings->room) {
		v = realloc(strings->v, room * sizeof(*v));
		check_memory(v ? 0 : -ENOMEM);
		strings->v = v;
		strings->room = room;
	}
	strings->v[strings->n++] = string;
	strings->v[strings->n] = NULL;
}

/* What a string of @len bytes takes, with its pointer. */
static size_t cost(size_t len)
{
	return len + 1 + sizeof(char *);
}

static bool fits(const struct call *call, size_t len)
{
	return len < STRING_MAX && call->size + cost(len) <= call->max_size;
}

/* ---- what stays the same ---------------------------------------------------------- */

static size_t find_max_size(void)
{
	struct rlimit stack = { 0 };
	size_t max = ARGS_MAX;

	if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur / 4 < max)
		max = (size_t)stack.rlim_cur / 4;
	if (max < ARGS_MIN)
		max = ARGS_MIN;
	return max - SLACK;
}

/* One that this program sets, perhaps for a COMMAND that this is. */
static bool is_ours(const char *variable)
{
	static const char *const ours[] = {
		"EVENT=", "SEQ=", "TIME=", "MISSED=", "DROPPED=", "NARGS=", "KEYS=", "NUL=",
		"OMITTED=", "ARG_", "KW_", "KX_",
	};

	if (strncmp(variable, "AIOEVT_", 7))
		return false;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (!strncmp(variable + 7, ours[i], strlen(ours[i])))
			return true;
	return false;
}

void call_init(struct call *call, char **command)
{
	*call = (struct call){ .command = command, .input = -1 };
	call->max_size = find_max_size();
	for (char **e = environ; e && *e; e++)
		if (!is_ours(*e))
			strings_add(&call->envp, *e);
	call->n_inherited = call->envp.n;
}

void call_close_input(struct call *call)
{
	if (call->input >= 0)
		close(call->input);
	call->input = -1;
}

static void clear(struct call *call)
{
	call_close_input(call);
	for (size_t i = 0; i < call->owned.n; i++)
		free(call->owned.v[i]);
	call->owned.n = call->argv.n = 0;
	call->envp.n = call->n_inherited;
	call->size = 0;
	for (size_t i = 0; i < call->n_inherited; i++)
		call->size += cost(strlen(call->envp.v[i]));
}

void call_deinit(struct call *call)
{
	clear(call);
	free(call->argv.v);
	free(call->envp.v);
	free(call->owned.v);
}

/* ---- words ------------------------------------------------------------------------ */

static bool refuse_word(const struct heard *heard, const char *why, const char *word, size_t len)
{
	complain("event \"%s\", record %" PRIu64 ": %s %.*s; COMMAND was not run", heard->event,
		 heard->seq, why, (int)(len < 100 ? len : 100), word);
	return false;
}

static bool make_word(struct call *call, char *word, const struct heard *heard,
		      const struct data *data)
{
	const char *missing;
	char *text;
	size_t len;
	int err = word_expand(word, heard, data, &text, &missing, &len);

	if (err == -ENOENT)
		return refuse_word(heard, "it has no", missing, len);
	check_memory(err);
	if (text)
		strings_add(&call->owned, text);
	len = strlen(text ? text : word);
	/* What does not come from the record is left to the kernel to judge. */
	if (text && !fits(call, len))
		return refuse_word(heard, "too large for a word:", word, strlen(word));
	strings_add(&call->argv, text ? text : word);
	call->size += cost(len);
	return true;
}

static bool make_words(struct call *call, const struct heard *heard, const struct data *data)
{
	for (char **word = call->command; *word; word++)
		if (!make_word(call, *word, heard, data))
			return false;
	return true;
}

/* ---- environment ------------------------------------------------------------------ */

/* A variable in the making, and those that had to be left out. */
struct maker {
	struct call *call;
	FILE *out;
	char *string;
	size_t len;
	struct { char names[OMITTED_MAX]; size_t len; bool is_full; } omitted;
};

static void omit(struct maker *maker, const char *name)
{
	size_t len = strlen(name), at = maker->omitted.len;

	/* with a space before it, and room for " ..." */
	if (maker->omitted.is_full || at + 1 + len + 4 >= OMITTED_MAX) {
		maker->omitted.is_full = true;
		return;
	}
	if (at)
		maker->omitted.names[at++] = ' ';
	memcpy(maker->omitted.names + at, name, len + 1);
	maker->omitted.len = at + len;
}

/* Then print "NAME=VALUE" to maker->out, and end(). */
static void begin(struct maker *maker)
{
	maker->string = NULL;
	maker->out = open_memstream(&maker->string, &maker->len);
	check_memory(maker->out ? 0 : -ENOMEM);
}

static void end(struct maker *maker)
{
	struct call *call = maker->call;

	check_memory(fclose(maker->out) ? -ENOMEM : 0);
	if (fits(call, maker->len)) {
		strings_add(&call->owned, maker->string);
		strings_add(&call->envp, maker->string);
		call->size += cost(maker->len);
		return;
	}
	maker->string[strcspn(maker->string, "=")] = '\0';
	omit(maker, maker->string);
	free(maker->string);
}

static void __attribute__((__format__(printf, 2, 3)))
make(struct maker *maker, const char *format, ...)
{
	va_list args;

	begin(maker);
	va_start(args, format);
	vfprintf(maker->out, format, args);
	va_end(args);
	end(maker);
}

static void make_values(struct maker *maker, const struct data *data)
{
	const struct aioevt_member *m = data->kwargs.members;
	size_t i;

	for (i = 0; i < data->args.n; i++) {
		begin(maker);
		fprintf(maker->out, "AIOEVT_ARG_%zu=", i);
		check_memory(variable_print_value(maker->out, &data->args.items[i]));
		end(maker);
	}
	for (i = 0; i < data->kwargs.n; i++) {
		begin(maker);
		variable_print_key(maker->out, &m[i].key);
		fputc('=', maker->out);
		check_memory(variable_print_value(maker->out, &m[i].value));
		end(maker);
	}
}

static void make_lists(struct maker *maker, const struct data *data)
{
	const struct aioevt_member *m = data->kwargs.members;
	const char *space = "";
	size_t i;

	begin(maker);
	fputs("AIOEVT_KEYS=", maker->out);
	for (i = 0; i < data->kwargs.n; i++) {
		fputs(i ? " " : "", maker->out);
		variable_print_key(maker->out, &m[i].key);
	}
	end(maker);

	begin(maker);
	fputs("AIOEVT_NUL=", maker->out);
	for (i = 0; i < data->args.n; i++)
		if (variable_has_nul(&data->args.items[i])) {
			fprintf(maker->out, "%sAIOEVT_ARG_%zu", space, i);
			space = " ";
		}
	for (i = 0; i < data->kwargs.n; i++)
		if (variable_has_nul(&m[i].value)) {
			fputs(space, maker->out);
			variable_print_key(maker->out, &m[i].key);
			space = " ";
		}
	end(maker);
}

static void make_environment(struct call *call, const struct heard *heard,
			     const struct data *data, uint64_t dropped)
{
	struct maker maker = { .call = call };

	call->max_size -= OMITTED_ROOM;
	make(&maker, "AIOEVT_EVENT=%s", heard->event);
	make(&maker, "AIOEVT_SEQ=%" PRIu64, heard->seq);
	make(&maker, "AIOEVT_TIME=%" PRIu64, heard->time);
	make(&maker, "AIOEVT_MISSED=%" PRIu64, heard->missed);
	make(&maker, "AIOEVT_DROPPED=%" PRIu64, dropped);
	make(&maker, "AIOEVT_NARGS=%zu", data->args.n);
	make_lists(&maker, data);
	make_values(&maker, data);
	call->max_size += OMITTED_ROOM;
	make(&maker, "AIOEVT_OMITTED=%s%s", maker.omitted.names,
	     maker.omitted.is_full ? " ..." : "");
}

/* ---- standard input --------------------------------------------------------------- */

/* A file in memory, not a pipe: COMMAND need not read. Returns 0 or -errno. */
static int make_input(struct call *call, const struct heard *heard, const struct data *data)
{
	int fd = memfd_create("record", MFD_CLOEXEC), copy;
	FILE *file;
	int err;

	if (fd < 0)
		return -errno;
	call->input = fd;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	file = copy < 0 ? NULL : fdopen(copy, "w");
	if (!file) {
		err = -errno;
		if (copy >= 0)
			close(copy);
		return err;
	}
	errno = 0;
	err = output_json(file, heard, data);
	if ((fclose(file) != 0 || lseek(fd, 0, SEEK_SET) < 0) && err == 0)
		err = errno ? -errno : -EIO;
	return err;
}

bool call_make(struct call *call, const struct heard *heard, uint64_t dropped)
{
	_cleanup_(data_deinit) struct data data;
	int err;

	data_init(&data);
	err = wire_decode(heard->payload, heard->size, &data);
	if (err == -EBADMSG) {
		complain("event \"%s\", record %" PRIu64 ": its %zu bytes were not written by "
			 "aioevt; COMMAND was not run", heard->event, heard->seq, heard->size);
		return false;
	}
	check_memory(err);

	clear(call);
	if (!make_words(call, heard, &data))
		return false;
	make_environment(call, heard, &data, dropped);
	err = make_input(call, heard, &data);
	if (err < 0)
		complain("event \"%s\", record %" PRIu64 ": standard input of COMMAND: %s; "
			 "it was not run", heard->event, heard->seq, strerror(-err));
	return err == 0;
}
