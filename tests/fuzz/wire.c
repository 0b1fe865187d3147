/* SPDX-License-Identifier: MIT */
/*
 * Payloads: whatever decodes is encoded to the very same bytes, and is equal when read again; data
 * that is received gives the payload back, whether it decodes or not.
 */
#include <errno.h>
#include <inttypes.h>

#include "data.h"
#include "input.h"
#include "wire.h"

/* The object is used again and again. */
static void check_receive(const uint8_t *bytes, size_t size, int expected)
{
	static struct aioevt_data *data;
	struct aioevt_shm_record record = { .seq = 1, .data = bytes, .size = size };
	const void *payload = NULL;
	size_t n = 0;

	if (data_receive(&data, "e", &record) < 0)
		broken("no data for a payload");
	if (aioevt_data_payload(data, &payload, &n) != expected)
		broken("received, but decoded otherwise");
	if (n != size || (size && memcmp(payload, bytes, size)))
		broken("the payload is not what was received");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	unsigned char *again;
	struct data data, copy;
	size_t n = 0;
	int err = -1;

	TIMED(err = wire_decode(bytes, size, &data));
	if (err == -ENOMEM)
		broken("memory for a small payload");
	check_receive(bytes, size, err);
	if (err < 0)
		return 0;
	again = malloc(size ? size : 1);
	if (!again || wire_encode(&data, again, size, &n) < 0 || n != size ||
	    memcmp(again, bytes, size))
		broken("decoded, but encoded to other bytes");
	if (wire_decode(again, n, &copy) < 0 || !data_equal(&data, &copy))
		broken("decoded to something else");
	data_deinit(&copy);
	data_deinit(&data);
	free(again);
	return 0;
}
