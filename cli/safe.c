/* SPDX-License-Identifier: MIT */
#include "safe.h"

#include <inttypes.h>
#include <string.h>

#include "utf8.h"

/*
 * Controls, and what makes a line break or turns the direction of what follows. Joiners are left:
 * some scripts, and emoji, need them.
 */
static bool is_unsafe(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e ||
	       code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

static uint32_t decode(const char *text, size_t len)
{
	uint32_t code = (unsigned char)*text;

	if (len > 1)
		code &= 0x7fu >> len;
	for (size_t i = 1; i < len; i++)
		code = code << 6 | ((unsigned char)text[i] & 0x3fu);
	return code;
}

size_t safe_char(const char *text, size_t len, uint32_t *ret_code, char buf[static SAFE_MAX])
{
	size_t n = utf8_char_len(text, len);

	*ret_code = n ? decode(text, n) : UINT32_MAX;
	if (n && !is_unsafe(*ret_code)) {
		memcpy(buf, text, n);
		buf[n] = '\0';
		return n;
	}
	if (n)
		snprintf(buf, SAFE_MAX, "\\u%04" PRIx32, *ret_code);
	else
		snprintf(buf, SAFE_MAX, "\\x%02x", (unsigned char)*text);
	*ret_code = UINT32_MAX;
	return n ? n : 1;
}

size_t safe_print(FILE *out, const char *text, size_t len)
{
	size_t from = 0, width = 0, n;
	char buf[SAFE_MAX];
	uint32_t code;

	for (size_t i = 0; i < len; i += n) {
		n = safe_char(text + i, len - i, &code, buf);
		width += code == UINT32_MAX ? strlen(buf) : 1;
		if (!out || code != UINT32_MAX)
			continue;
		fwrite(text + from, 1, i - from, out);
		fputs(buf, out);
		from = i + n;
	}
	if (out)
		fwrite(text + from, 1, len - from, out);
	return width;
}

void safe_print_column(FILE *out, const char *text, size_t width)
{
	size_t used = safe_print(out, text, strlen(text));

	fprintf(out, "%*s", used < width ? (int)(width - used) : 0, "");
}

size_t safe_width(const char *text)
{
	return safe_print(NULL, text, strlen(text));
}
