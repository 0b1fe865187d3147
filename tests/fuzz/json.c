/* SPDX-License-Identifier: MIT */
/* JSON as people and other programs write it: what is read is written and read again the same. */
#include <errno.h>
#include <inttypes.h>

#include "input.h"
#include "../../cli/json.h"

static void check_value(const struct aioevt_value *value)
{
	struct json_error error;
	struct aioevt_value again;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out || json_write(out, value) < 0 || fclose(out))
		broken("read, but not written");
	if (json_read(text, len, VALUE_DEPTH_MAX, &again, &error) < 0 ||
	    !value_equal(value, &again))
		broken("written, but read as something else");
	value_deinit(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *text = (const char *)bytes;
	struct json_error error;
	struct aioevt_value value;
	struct data data;
	int err = -1;

	TIMED(err = json_read(text, size, VALUE_DEPTH_ARG, &value, &error));
	if (!err) {
		check_value(&value);
		value_deinit(&value);
	} else if (err == -EINVAL && !memchr(error.why, '\0', sizeof(error.why))) {
		broken("a reason without end");
	}
	TIMED(err = json_read_data(text, size, &data, &error));
	if (!err)
		data_deinit(&data);
	return 0;
}
