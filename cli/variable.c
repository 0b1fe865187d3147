/* SPDX-License-Identifier: MIT */
#include "variable.h"

#include <string.h>

#include "json.h"

#define KEY_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool variable_is_string(const struct aioevt_value *value)
{
	return value->type == AIOEVT_TEXT || value->type == AIOEVT_BYTES;
}

bool variable_has_nul(const struct aioevt_value *value)
{
	return variable_is_string(value) && value->n && memchr(value->string, '\0', value->n);
}

void variable_print_key(FILE *out, const struct aioevt_value *key)
{
	size_t i;
	bool plain = true;

	for (i = 0; i < key->n && plain; i++)
		plain = key->string[i] && strchr(KEY_CHARS "_", key->string[i]);
	fputs(plain && key->n ? "AIOEVT_KW_" : "AIOEVT_KX_", out);
	for (i = 0; i < key->n; i++) {
		if (plain || (key->string[i] && strchr(KEY_CHARS, key->string[i])))
			fputc(key->string[i], out);
		else
			fprintf(out, "_%02X", (unsigned char)key->string[i]);
	}
}

int variable_print_value(FILE *out, const struct aioevt_value *value)
{
	if (!variable_is_string(value) || variable_has_nul(value))
		return json_write(out, value);
	fwrite(value->string, 1, value->n, out);
	return 0;
}
