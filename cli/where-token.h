/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_WHERE_TOKEN_H
#define AIOEVT_WHERE_TOKEN_H

/* The words of a condition. */

#include <stddef.h>

#include "where.h"

enum token_kind {
	TOKEN_END, TOKEN_BAD, TOKEN_WORD, TOKEN_NUMBER, TOKEN_STRING,
	TOKEN_OPEN, TOKEN_CLOSE, TOKEN_INDEX, TOKEN_INDEX_END, TOKEN_DOT,
	TOKEN_OR, TOKEN_AND, TOKEN_NOT,
	TOKEN_EQ, TOKEN_NE, TOKEN_LT, TOKEN_LE, TOKEN_GT, TOKEN_GE, TOKEN_LIKE, TOKEN_UNLIKE,
};

struct token {
	enum token_kind kind;
	const char *start;
	size_t len;
};

/* The token that begins at or after @pos. A text lacks its end if it is TOKEN_STRING of length 1. */
struct token token_next(const char *pos);

/*
 * What a text stands for, in memory of its own with a NUL behind it. Returns 0, -ENOMEM, or -EINVAL
 * with the place and the reason, a static string, in *ret_at and *ret_why.
 */
int token_unquote(const struct token *token, char **ret_text, size_t *ret_len,
		  const char **ret_at, const char **ret_why);

#endif
