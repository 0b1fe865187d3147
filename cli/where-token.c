/* SPDX-License-Identifier: MIT */
#include "where-token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS	"0123456789"

/* The longer ones first. */
static const struct {
	const char *text;
	enum token_kind kind;
} symbols[] = {
	{ "||", TOKEN_OR }, { "&&", TOKEN_AND }, { "==", TOKEN_EQ }, { "!=", TOKEN_NE },
	{ "<=", TOKEN_LE }, { ">=", TOKEN_GE }, { "=~", TOKEN_LIKE }, { "!~", TOKEN_UNLIKE },
	{ "<", TOKEN_LT }, { ">", TOKEN_GT }, { "!", TOKEN_NOT }, { "(", TOKEN_OPEN },
	{ ")", TOKEN_CLOSE }, { "[", TOKEN_INDEX }, { "]", TOKEN_INDEX_END }, { ".", TOKEN_DOT },
};

static size_t number_length(const char *text)
{
	const char *end = text + (*text == '-'), *exponent;

	end += strspn(end, DIGITS);
	if (*end == '.' && end[1] && strchr(DIGITS, end[1]))
		end += 1 + strspn(end + 1, DIGITS);
	if (*end == 'e' || *end == 'E') {
		exponent = end + 1 + (end[1] == '-' || end[1] == '+');
		if (*exponent && strchr(DIGITS, *exponent))
			end = exponent + strspn(exponent, DIGITS);
	}
	return (size_t)(end - text);
}

/* 1 if it has no end. */
static size_t string_length(const char *text)
{
	const char *end = text + 1;

	while (*end && *end != *text)
		end += *end == '\\' && end[1] ? 2 : 1;
	return *end ? (size_t)(end + 1 - text) : 1;
}

/* Of one character, as far as it is UTF-8. */
static size_t character_length(const char *text)
{
	size_t len = 1;

	while (len < 4 && (text[len] & 0xc0) == 0x80)
		len++;
	return len;
}

struct token token_next(const char *pos)
{
	struct token token = { .kind = TOKEN_BAD, .start = pos + strspn(pos, " \t\n\r") };
	const char *c = token.start;

	if (!*c) {
		token.kind = TOKEN_END;
	} else if (strchr(LETTERS, *c)) {
		token.kind = TOKEN_WORD;
		token.len = strspn(c, LETTERS DIGITS "-");
	} else if (strchr(DIGITS, *c) || (*c == '-' && c[1] && strchr(DIGITS, c[1]))) {
		token.kind = TOKEN_NUMBER;
		token.len = number_length(c);
	} else if (*c == '"' || *c == '\'') {
		token.kind = TOKEN_STRING;
		token.len = string_length(c);
	} else {
		token.len = character_length(c);
	}
	for (size_t i = 0; token.kind == TOKEN_BAD && i < sizeof(symbols) / sizeof(*symbols); i++) {
		size_t len = strlen(symbols[i].text);

		if (strncmp(c, symbols[i].text, len))
			continue;
		token.kind = symbols[i].kind;
		token.len = len;
	}
	return token;
}

/* ---- texts ---------------------------------------------------------------------- */

/* @n hexadecimal digits. Returns their number, or -1. */
static long read_hex(const char *text, const char *end, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	long number = 0;

	for (size_t i = 0; i < n; i++) {
		const char *digit = text + i < end && text[i] ?
				    strchr(digits, text[i] >= 'A' && text[i] <= 'F' ?
					   text[i] + 32 : text[i]) : NULL;

		if (!digit)
			return -1;
		number = number * 16 + (digit - digits);
	}
	return number;
}

static char *put_utf8(char *out, long c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* \uXXXX, or two of them that are one character. Returns what is behind, or NULL. */
static const char *read_unicode(const char *c, const char *end, char **out)
{
	long high = read_hex(c + 2, end, 4), low;

	c += 6;
	if (high >= 0xd800 && high < 0xdc00) {
		low = c + 1 < end && c[0] == '\\' && c[1] == 'u' ? read_hex(c + 2, end, 4) : -1;
		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
		c += 6;
	} else if (high < 0 || (high >= 0xdc00 && high < 0xe000)) {
		return NULL;
	}
	*out = put_utf8(*out, high);
	return c;
}

/* The escape at @c, which ends before @end. Returns what is behind it, or NULL. */
static const char *read_escape(const char *c, const char *end, char **out, const char **ret_why)
{
	static const char names[] = "\\\"'/bfnrt", meant[] = "\\\"'/\b\f\n\r\t";
	const char *name = strchr(names, c[1]);
	long byte;

	*ret_why = "unknown escape; a backslash itself is \"\\\\\"";
	if (c[1] == 'u') {
		*ret_why = "\"\\u\" wants four hexadecimal digits of a character";
		return read_unicode(c, end, out);
	}
	if (c[1] == 'x') {
		*ret_why = "\"\\x\" wants two hexadecimal digits";
		byte = read_hex(c + 2, end, 2);
		if (byte < 0)
			return NULL;
		*(*out)++ = (char)byte;
		return c + 4;
	}
	if (!name || !*name)
		return NULL;
	*(*out)++ = meant[name - names];
	return c + 2;
}

int token_unquote(const struct token *token, char **ret_text, size_t *ret_len,
		  const char **ret_at, const char **ret_why)
{
	const char *c = token->start + 1, *end = token->start + token->len - 1, *next;
	char *text, *out;

	if (token->len < 2) {
		*ret_at = token->start;
		*ret_why = "a text without its closing quote";
		return -EINVAL;
	}
	text = out = malloc(token->len);	/* no escape is shorter than what it means */
	if (!text)
		return -ENOMEM;
	while (c < end) {
		if (*c != '\\') {
			*out++ = *c++;
			continue;
		}
		next = read_escape(c, end, &out, ret_why);
		if (!next) {
			free(text);
			*ret_at = c;
			return -EINVAL;
		}
		c = next;
	}
	*out = '\0';
	*ret_text = text;
	*ret_len = (size_t)(out - text);
	return 0;
}
