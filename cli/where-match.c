/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "where-node.h"

struct subject {
	const char *event;
	uint64_t seq;
	const struct data *data;
};

/* ---- operands ------------------------------------------------------------------- */

static const struct aioevt_value *take_step(const struct aioevt_value *value,
					    const struct step *step)
{
	size_t i;

	if (!step->is_index)
		return value->type == AIOEVT_MAP ?
		       value_map_find(value, step->key, step->len) : NULL;
	if (value->type != AIOEVT_LIST)
		return NULL;
	i = (size_t)step->index;
	if (step->index < 0)
		i += value->n;		/* wraps around if it is too far */
	return i < value->n ? &value->items[i] : NULL;
}

/* Its value, which may be put into *room; NULL: it is not there. */
static const struct aioevt_value *look_up(const struct operand *operand,
					  const struct subject *subject,
					  struct aioevt_value *room)
{
	const struct aioevt_value *value = &operand->literal;

	switch (operand->kind) {
	case OPERAND_LITERAL:
		return value;
	case OPERAND_EVENT:
		*room = value_borrow(AIOEVT_TEXT, subject->event, strlen(subject->event));
		return room;
	case OPERAND_SEQ:
		*room = value_uint(subject->seq);
		return room;
	case OPERAND_ARGS:
		value = &subject->data->args;
		break;
	case OPERAND_KWARGS:
		value = &subject->data->kwargs;
		break;
	}
	for (size_t i = 0; i < operand->n_steps && value; i++)
		value = take_step(value, &operand->steps[i]);
	return value;
}

static bool is_string(const struct aioevt_value *value)
{
	return value->type == AIOEVT_TEXT || value->type == AIOEVT_BYTES;
}

static bool is_number(const struct aioevt_value *value)
{
	return value->type == AIOEVT_INT || value->type == AIOEVT_UINT ||
	       value->type == AIOEVT_DOUBLE;
}

/* ---- comparing ------------------------------------------------------------------ */

enum order { LESS = -1, EQUAL, GREATER, NONE };

static enum order order_of(bool is_less, bool is_greater)
{
	return is_less ? LESS : is_greater ? GREATER : EQUAL;
}

/* An AIOEVT_UINT is larger than any AIOEVT_INT. */
static enum order compare_integers(const struct aioevt_value *a, const struct aioevt_value *b)
{
	if (a->type != b->type)
		return a->type == AIOEVT_INT ? LESS : GREATER;
	if (a->type == AIOEVT_INT)
		return order_of(a->integer < b->integer, a->integer > b->integer);
	return order_of(a->natural < b->natural, a->natural > b->natural);
}

/* Exactly: no double has all the digits of a large integer. */
static enum order compare_integer_double(const struct aioevt_value *a, double b)
{
	struct aioevt_value whole;
	enum order order;
	double truncated;	/* not trunc(3): libm would be one more library at each start */

	if (isnan(b))
		return NONE;
	if (b >= 0x1p64)
		return LESS;
	if (b < -0x1p63)
		return GREATER;
	whole = b < 0 ? value_int((int64_t)b) : value_uint((uint64_t)b);
	order = compare_integers(a, &whole);
	if (order != EQUAL)
		return order;
	truncated = b < 0 ? (double)(int64_t)b : (double)(uint64_t)b;
	return order_of(b > truncated, b < truncated);
}

static enum order reverse(enum order order)
{
	return order == LESS ? GREATER : order == GREATER ? LESS : order;
}

static enum order compare_numbers(const struct aioevt_value *a, const struct aioevt_value *b)
{
	if (a->type != AIOEVT_DOUBLE && b->type != AIOEVT_DOUBLE)
		return compare_integers(a, b);
	if (b->type != AIOEVT_DOUBLE)
		return reverse(compare_integer_double(b, a->real));
	if (a->type != AIOEVT_DOUBLE)
		return compare_integer_double(a, b->real);
	if (isnan(a->real) || isnan(b->real))
		return NONE;
	return order_of(a->real < b->real, a->real > b->real);
}

static enum order compare_strings(const struct aioevt_value *a, const struct aioevt_value *b)
{
	size_t least = a->n < b->n ? a->n : b->n;
	int order = least ? memcmp(a->string, b->string, least) : 0;

	if (order)
		return order_of(order < 0, true);
	return order_of(a->n < b->n, a->n > b->n);
}

static bool compare(enum test_op op, const struct aioevt_value *a, const struct aioevt_value *b)
{
	enum order order = NONE;

	if (a && b) {
		if (is_number(a) && is_number(b))
			order = compare_numbers(a, b);
		else if (is_string(a) && is_string(b))
			order = compare_strings(a, b);
		else if ((op == OP_EQ || op == OP_NE) && value_equal(a, b))
			order = EQUAL;
	}
	switch (op) {
	case OP_EQ:
		return order == EQUAL;
	case OP_NE:
		return order != EQUAL;
	case OP_LT:
		return order == LESS;
	case OP_LE:
		return order == LESS || order == EQUAL;
	case OP_GT:
		return order == GREATER;
	default:
		return order == GREATER || order == EQUAL;
	}
}

/* As regexec(3). Without REG_STARTEND (musl) what is behind a NUL is not looked at. */
static int run_regex(const regex_t *regex, const char *text, size_t len)
{
#ifdef REG_STARTEND
	regmatch_t range = { .rm_so = 0, .rm_eo = (regoff_t)len };

	return regexec(regex, text, 1, &range, REG_STARTEND);
#else
	char *copy = strndup(text, len);
	int result = copy ? regexec(regex, copy, 0, NULL, 0) : REG_ESPACE;

	free(copy);
	return result;
#endif
}

/* Returns 1, 0 or -ENOMEM. */
static int is_like(const regex_t *regex, const struct aioevt_value *value)
{
	int result;

	if (!value || !is_string(value))
		return 0;
	result = run_regex(regex, value->n ? value->string : "", value->n);
	return result == REG_ESPACE ? -ENOMEM : result == 0;
}

static bool is_true(const struct aioevt_value *value)
{
	return value && value->type != AIOEVT_NULL &&
	       !(value->type == AIOEVT_BOOL && !value->boolean);
}

static int test(const struct where *node, const struct subject *subject)
{
	struct aioevt_value rooms[2];
	const struct aioevt_value *left = look_up(&node->left, subject, &rooms[0]);
	int result;

	switch (node->op) {
	case OP_TRUE:
		return is_true(left);
	case OP_LIKE:
		return is_like(node->regex, left);
	case OP_UNLIKE:
		result = is_like(node->regex, left);
		return result < 0 ? result : !result;
	default:
		return compare(node->op, left, look_up(&node->right, subject, &rooms[1]));
	}
}

/* ---- the whole ------------------------------------------------------------------ */

static int match(const struct where *node, const struct subject *subject)
{
	const struct where *child = node->first;
	int result;

	switch (node->kind) {
	case NODE_TEST:
		return test(node, subject);
	case NODE_NOT:
		result = match(child, subject);
		return result < 0 ? result : !result;
	case NODE_OR:
		for (result = 0; child && !result; child = child->next)
			result = match(child, subject);
		return result;
	default:
		for (result = 1; child && result > 0; child = child->next)
			result = match(child, subject);
		return result;
	}
}

int where_match(const struct where *where, const char *event, uint64_t seq,
		const struct data *data)
{
	struct subject subject = { .event = event, .seq = seq, .data = data };

	return match(where, &subject);
}
