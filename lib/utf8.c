/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* How many of the next bytes are plain ASCII, eight at a time. */
static size_t skip_ascii(const char *text, size_t len)
{
	size_t n = 0;
	uint64_t word;

	while (len - n >= sizeof(word)) {
		memcpy(&word, text + n, sizeof(word));
		if (word & 0x8080808080808080u)
			break;
		n += sizeof(word);
	}
	return n;
}

/* Length of the character at @s, which has @left bytes; 0 if it is none. */
static size_t char_len(const unsigned char *s, size_t left)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || left < 2 || !is_tail(s[1]))
		return 0;
	if (s[0] < 0xe0)
		return 2;

	if (left < 3 || !is_tail(s[2]))
		return 0;
	if (s[0] < 0xf0) {
		if (s[0] == 0xe0 && s[1] < 0xa0)	/* overlong */
			return 0;
		if (s[0] == 0xed && s[1] > 0x9f)	/* surrogate */
			return 0;
		return 3;
	}

	if (s[0] > 0xf4 || left < 4 || !is_tail(s[3]))
		return 0;
	if (s[0] == 0xf0 && s[1] < 0x90)		/* overlong */
		return 0;
	if (s[0] == 0xf4 && s[1] > 0x8f)		/* over U+10FFFF */
		return 0;
	return 4;
}

bool utf8_valid(const char *text, size_t len)
{
	size_t pos = 0, n;

	while (pos < len) {
		pos += skip_ascii(text + pos, len - pos);
		if (pos == len)
			break;
		n = char_len((const unsigned char *)text + pos, len - pos);
		if (!n)
			return false;
		pos += n;
	}
	return true;
}

size_t utf8_char_len(const char *text, size_t len)
{
	return len ? char_len((const unsigned char *)text, len) : 0;
}

size_t utf8_count(const char *text, size_t len)
{
	size_t n = 0, i;

	for (i = 0; i < len; i++)
		n += !is_tail((unsigned char)text[i]);
	return n;
}
