/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_WHERE_NODE_H
#define AIOEVT_WHERE_NODE_H

/* A compiled condition: where.c builds it, where-match.c walks it. Neither is deeper than its nesting. */

#include <regex.h>

#include "where.h"

enum operand_kind { OPERAND_LITERAL, OPERAND_ARGS, OPERAND_KWARGS, OPERAND_EVENT, OPERAND_SEQ };

/* Into a list or a map. */
struct step {
	bool is_index;
	int64_t index;		/* negative: from the end */
	char *key;
	size_t len;
};

struct operand {
	enum operand_kind kind;
	struct aioevt_value literal;
	struct step *steps;
	size_t n_steps;
};

enum node_kind { NODE_OR, NODE_AND, NODE_NOT, NODE_TEST };

enum test_op { OP_TRUE, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_LIKE, OP_UNLIKE };

struct where {
	enum node_kind kind;
	struct where *first, *next;	/* what it joins; its place among what its parent joins */
	enum test_op op;
	struct operand left, right;
	regex_t *regex;
};

#endif
