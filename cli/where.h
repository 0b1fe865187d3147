/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_WHERE_H
#define AIOEVT_WHERE_H

/*
 * A condition on a record, as "aioevt wait --where" takes it:
 *
 *   or      := and { "||" and }
 *   and     := not { "&&" not }
 *   not     := { "!" } "(" or ")" | { "!" } operand | test
 *   test    := operand [ OP operand ]        OP: == != < <= > >=
 *            | operand ( "=~" | "!~" ) STRING
 *   operand := ( "args" | "kwargs" ) { "[" INTEGER "]" | "[" STRING "]" | "." NAME }
 *            | "event" | "seq" | NUMBER | STRING | "true" | "false" | "null"
 *
 * Numbers compare by value, text and bytes bytewise. Values of different kinds are not equal,
 * and neither is less. What is not there is equal to nothing, not even to what is not there.
 * An operand alone is true unless it is not there, null or false. STRING behind =~ is a POSIX
 * extended regular expression, for text and bytes; anything else does not match.
 */

#include <stdbool.h>

#include "value.h"

#define WHERE_DEPTH_MAX	100u	/* parentheses and "!" inside one another */

struct where;

struct where_error {
	char why[300];		/* one line for the user: "column 9: expected a value, ..." */
};

/*
 * Compile @text. Returns 0 and what where_free() frees, -EINVAL with the reason in
 * *ret_error, or -ENOMEM.
 */
int where_parse(const char *text, struct where **ret_where, struct where_error *ret_error);

/* Whether the record meets it. Returns 1, 0 or -ENOMEM. */
int where_match(const struct where *where, const char *event, uint64_t seq,
		const struct data *data);

/* Takes NULL. Always returns NULL. */
struct where *where_free(struct where *where);

#endif
