/* SPDX-License-Identifier: MIT */
/* Payloads: whatever decodes is encoded to the very same bytes, and is equal when read again. */
#include <errno.h>
#include <inttypes.h>

#include "input.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	unsigned char *again;
	struct data data, copy;
	size_t n = 0;
	int err = -1;

	TIMED(err = wire_decode(bytes, size, &data));
	if (err == -ENOMEM)
		broken("memory for a small payload");
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
