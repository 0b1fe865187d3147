/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "aioevt-shm.h"

/*
 * Bytes of the UTF-8 character at @s, of which @left bytes are there, and its code point;
 * 0 if it is not valid: cut short, overlong, a surrogate, or over U+10FFFF (RFC 3629).
 */
static size_t utf8_char(const unsigned char *s, size_t left, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 :
		     s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
	uint32_t code;

	if (!len || len > left)
		return 0;
	code = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fu);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	*ret_code = code;
	return len;
}

static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* Unicode's White_Space property, less the controls. */
static bool is_space(uint32_t code)
{
	return code == 0x20 || code == 0xa0 || code == 0x1680 ||
	       (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
	       code == 0x202f || code == 0x205f || code == 0x3000;
}

/* Why the character may not stand in a token, or NULL. */
static const char *refuse_char(uint32_t code)
{
	if (is_control(code))
		return "control character";
	if (is_space(code))
		return "white space";
	if (code == '*')
		return "\"*\" in a name";
	if (code == '>')
		return "\">\" in a name";
	return NULL;
}

static int refuse(size_t offset, const char *why, size_t *ret_offset, const char **ret_why)
{
	if (ret_offset)
		*ret_offset = offset;
	if (ret_why)
		*ret_why = why;
	return -EINVAL;
}

/* Check the token at [@pos, end or "."); returns its end, or -EINVAL. */
static int check_token(const char *name, size_t len, size_t pos, size_t *ret_offset,
		       const char **ret_why)
{
	size_t start = pos;

	while (pos < len && name[pos] != '.') {
		uint32_t code;
		size_t n = utf8_char((const unsigned char *)name + pos, len - pos, &code);
		const char *why = n ? refuse_char(code) : "not valid UTF-8";

		if (why)
			return refuse(pos, why, ret_offset, ret_why);
		pos += n;
	}
	if (pos == start)
		return refuse(pos, len ? "empty token" : "empty name", ret_offset, ret_why);
	return (int)pos;
}

/* Is the token at @pos the wildcard @c, alone? */
static bool is_wildcard(const char *s, size_t len, size_t pos, char c)
{
	return pos < len && s[pos] == c && (pos + 1 == len || s[pos + 1] == '.');
}

static int check(const char *name, size_t len, bool wildcards, size_t *ret_offset,
		 const char **ret_why)
{
	size_t pos = 0;
	int found = 0, end;

	if (!name)
		return refuse(0, "no name", ret_offset, ret_why);
	if (len > AIOEVT_SHM_NAME_MAX)
		return refuse(AIOEVT_SHM_NAME_MAX, "longer than 127 bytes", ret_offset,
			      ret_why);
	for (;;) {
		if (wildcards && (is_wildcard(name, len, pos, '*') ||
				  is_wildcard(name, len, pos, '>'))) {
			found = 1;
			if (name[pos] == '>' && pos + 1 < len)
				return refuse(pos + 1, "\">\" before the end", ret_offset,
					      ret_why);
			end = (int)pos + 1;
		} else {
			end = check_token(name, len, pos, ret_offset, ret_why);
			if (end < 0)
				return end;
		}
		if ((size_t)end == len)
			return found;
		pos = (size_t)end + 1;
	}
}

int aioevt_shm_name_check(const char *name, size_t len, size_t *ret_offset,
			  const char **ret_why)
{
	return check(name, len, false, ret_offset, ret_why);
}

int aioevt_shm_pattern_check(const char *pattern, size_t len, size_t *ret_offset,
			     const char **ret_why)
{
	return check(pattern, len, true, ret_offset, ret_why);
}

static size_t token_len(const char *s)
{
	return strcspn(s, ".");
}

int aioevt_shm_pattern_match(const char *pattern, const char *name)
{
	if (!pattern || !name)
		return 0;
	for (;;) {
		size_t p = token_len(pattern), n = token_len(name);

		if (p == 1 && *pattern == '>')
			return 1;
		if (!(p == 1 && *pattern == '*') && (p != n || memcmp(pattern, name, n)))
			return 0;
		if (!pattern[p] || !name[n])
			return !pattern[p] && !name[n];
		pattern += p + 1;
		name += n + 1;
	}
}

int name_pack(const char *text, struct name *ret_name)
{
	size_t len = text ? strnlen(text, AIOEVT_SHM_NAME_MAX + 1) : 0;
	unsigned char bytes[sizeof(*ret_name)] = { 0 };

	if (check(text, len, false, NULL, NULL) < 0)
		return -EINVAL;
	bytes[0] = (unsigned char)len;
	memcpy(bytes + 1, text, len);
	memcpy(ret_name, bytes, sizeof(bytes));
	return 0;
}

int name_unpack(const struct name *name, char *ret_text)
{
	unsigned char bytes[sizeof(*name)];

	memcpy(bytes, name, sizeof(bytes));
	if (check((char *)bytes + 1, bytes[0], false, NULL, NULL) < 0)
		return -EPROTO;
	memcpy(ret_text, bytes + 1, bytes[0]);
	ret_text[bytes[0]] = '\0';
	return 0;
}
