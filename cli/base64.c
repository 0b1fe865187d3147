/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(FILE *out, const void *data, size_t size)
{
	const unsigned char *in = data;
	uint32_t group;
	char text[4];
	size_t n, i;

	for (; size; size -= n, in += n) {
		n = size < 3 ? size : 3;
		group = (uint32_t)in[0] << 16;
		if (n > 1)
			group |= (uint32_t)in[1] << 8;
		if (n > 2)
			group |= in[2];
		for (i = 0; i < 4; i++)
			text[i] = i <= n ? alphabet[group >> (18 - 6 * i) & 63] : '=';
		fwrite(text, 1, sizeof(text), out);
	}
}

/* Decode four characters, the last @n_pad of them "=". Returns false if it cannot be. */
static bool read_group(const char *text, unsigned n_pad, unsigned char *out)
{
	uint32_t group = 0;
	const char *c;
	unsigned i;

	for (i = 0; i < 4; i++) {
		c = i < 4 - n_pad ? memchr(alphabet, text[i], 64) : alphabet;
		if (!c)
			return false;
		group = group << 6 | (uint32_t)(c - alphabet);
	}
	if (group & ((1u << 8 * n_pad) - 1))	/* bits that nobody would see */
		return false;
	for (i = 0; i < 3 - n_pad; i++)
		out[i] = (unsigned char)(group >> (16 - 8 * i));
	return true;
}

static unsigned count_pad(const char *text, size_t len)
{
	if (!len || text[len - 1] != '=')
		return 0;
	return text[len - 2] == '=' ? 2 : 1;
}

int base64_read(const char *text, size_t len, void **ret_data, size_t *ret_size)
{
	unsigned n_pad = len >= 4 ? count_pad(text, len) : 0;
	unsigned char *data;
	size_t i;

	if (len % 4)
		return -EINVAL;
	data = malloc(len / 4 * 3 + 1);
	if (!data)
		return -ENOMEM;

	for (i = 0; i < len; i += 4) {
		if (!read_group(text + i, i + 4 == len ? n_pad : 0, data + i / 4 * 3)) {
			free(data);
			return -EINVAL;
		}
	}
	*ret_data = data;
	*ret_size = len / 4 * 3 - n_pad;
	return 0;
}
