/* SPDX-License-Identifier: MIT */
/*
 * A condition, and behind a NUL the data it is tried on. What is refused tells one line with
 * a column within the text. Regular expressions are the C library's, which may take any
 * time and memory, so texts with repetitions and back references are left out.
 */
#include <errno.h>
#include <inttypes.h>

#include "input.h"
#include "wire.h"
#include "../../cli/where.h"

static void check_refusal(const char *text, const struct where_error *error)
{
	size_t column;

	if (!memchr(error->why, '\0', sizeof(error->why)))
		broken("a reason without end");
	if (sscanf(error->why, "column %zu: ", &column) != 1 || !column || column > strlen(text) + 1)
		broken("a column that there is not");
}

static void match(const struct where *where, const uint8_t *bytes, size_t size)
{
	struct data data;
	int first = 0, again = 0;

	if (wire_decode(bytes, size, &data))
		data_init(&data);
	TIMED(first = where_match(where, "job.done", 7, &data));
	TIMED(again = where_match(where, "job.done", 7, &data));
	if (first != again || first > 1 || (first < 0 && first != -ENOMEM))
		broken("a match that is none");
	data_deinit(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t len = strnlen((const char *)bytes, size);
	char *text = strndup((const char *)bytes, len);
	struct where_error error = { "" };
	struct where *where = NULL;
	int err = 0;

	if (!text)
		return 0;
	if (!strstr(text, "~") || !strpbrk(text, "{*+?\\")) {
		TIMED(err = where_parse(text, &where, &error));
		if (err == -EINVAL)
			check_refusal(text, &error);
		else if (!err)
			match(where, bytes + len + (len < size), size - len - (len < size));
		where_free(where);
	}
	free(text);
	return 0;
}
