/* SPDX-License-Identifier: MIT */
/*
 * The parser: one function for each rule of the grammar in where.h. Whoever finds an error says
 * so once, in *parser->error, and all give up.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "where-node.h"
#include "where-token.h"

#define REGEX_MAX	4096u	/* bytes; deeper parentheses cost regcomp() more stack */

struct parser {
	const char *text;
	struct token token;		/* the next one */
	unsigned depth;
	struct where_error *error;
};

/* ---- errors --------------------------------------------------------------------- */

/* In characters, as people count. */
static size_t column(const struct parser *parser, const char *at)
{
	size_t n = 1;

	for (const char *c = parser->text; c < at; c++)
		n += (*c & 0xc0) != 0x80;
	return n;
}

static int refuse(struct parser *parser, const char *at, const char *why)
{
	snprintf(parser->error->why, sizeof(parser->error->why), "column %zu: %s",
		 column(parser, at), why);
	return -EINVAL;
}

static const char *hint(const struct token *token)
{
	if (token->kind != TOKEN_BAD)
		return "";
	return *token->start == '=' ? "; equal is \"==\"" : *token->start == '&' ?
	       "; and is \"&&\"" : *token->start == '|' ? "; or is \"||\"" : "";
}

static int refuse_token(struct parser *parser, const char *expected)
{
	const struct token *token = &parser->token;
	char why[200];

	if (token->kind == TOKEN_END)
		snprintf(why, sizeof(why), "expected %s, found the end", expected);
	else
		snprintf(why, sizeof(why), "expected %s, found \"%.*s\"%s", expected,
			 token->len < 60 ? (int)token->len : 60, token->start, hint(token));
	return refuse(parser, token->start, why);
}

/* ---- operands ------------------------------------------------------------------- */

static void advance(struct parser *parser)
{
	parser->token = token_next(parser->token.start + parser->token.len);
}

static bool is_word(const struct parser *parser, const char *word)
{
	return parser->token.kind == TOKEN_WORD && strlen(word) == parser->token.len &&
	       !memcmp(parser->token.start, word, parser->token.len);
}

static int unquote(struct parser *parser, char **ret_text, size_t *ret_len)
{
	const char *at, *why;
	int err = token_unquote(&parser->token, ret_text, ret_len, &at, &why);

	if (err == -EINVAL)
		return refuse(parser, at, why);
	if (err == 0)
		advance(parser);
	return err;
}

static int parse_string(struct parser *parser, struct operand *operand)
{
	char *text;
	size_t len;
	int err = unquote(parser, &text, &len);

	if (err == 0)
		operand->literal = value_take(AIOEVT_TEXT, text, len);
	return err;
}

static int parse_real(struct parser *parser, struct aioevt_value *value)
{
	double real = 0;
	int err = number_parse_real(parser->token.start, parser->token.len, &real);

	if (err == -ERANGE)
		return refuse(parser, parser->token.start, "a number out of the range of doubles");
	*value = value_double(real);
	return err;
}

/* Whether it is -0, which no integer is: a script may have computed it. */
static bool is_minus_zero(const struct token *token)
{
	return token->len == 2 && !memcmp(token->start, "-0", 2);
}

static int parse_number(struct parser *parser, struct aioevt_value *value)
{
	const struct token *token = &parser->token;
	int err = number_parse_integer(token->start, token->len, value);

	if (err == -ERANGE)
		return refuse(parser, token->start, "an integer not from -2^63 to 2^64-1");
	if (err == -EINVAL && strcspn(token->start, ".eE") >= token->len && !is_minus_zero(token))
		return refuse(parser, token->start, "a number with needless zeros; a text is in quotes");
	if (err == -EINVAL)
		err = parse_real(parser, value);
	if (err == 0)
		advance(parser);
	return err;
}

/* Behind "[": what is in it, and "]". */
static int parse_index(struct parser *parser, struct step *step)
{
	struct aioevt_value value;
	const char *start = parser->token.start;
	int err;

	if (parser->token.kind == TOKEN_STRING) {
		err = unquote(parser, &step->key, &step->len);
	} else if (parser->token.kind == TOKEN_NUMBER) {
		err = parse_number(parser, &value);
		if (err == 0 && value.type != AIOEVT_INT)
			err = refuse(parser, start, "not a number that a place can have");
		step->is_index = true;
		step->index = err == 0 ? value.integer : 0;
	} else {
		err = refuse_token(parser, "a number or a key in quotes");
	}
	if (err == 0 && parser->token.kind != TOKEN_INDEX_END)
		err = refuse_token(parser, "\"]\"");
	if (err == 0)
		advance(parser);
	return err;
}

/* Behind ".": a name. */
static int parse_name(struct parser *parser, struct step *step)
{
	if (parser->token.kind != TOKEN_WORD)
		return refuse_token(parser, "a name; any key is [\"key\"]");
	step->key = strndup(parser->token.start, parser->token.len);
	if (!step->key)
		return -ENOMEM;
	step->len = parser->token.len;
	advance(parser);
	return 0;
}

static int parse_steps(struct parser *parser, struct operand *operand)
{
	struct step *steps;
	bool is_index;
	int err = 0;

	while (err == 0 && (parser->token.kind == TOKEN_INDEX || parser->token.kind == TOKEN_DOT)) {
		steps = reallocarray(operand->steps, operand->n_steps + 1, sizeof(*steps));
		if (!steps)
			return -ENOMEM;
		operand->steps = steps;
		steps += operand->n_steps++;
		*steps = (struct step){ .is_index = false };
		is_index = parser->token.kind == TOKEN_INDEX;
		advance(parser);
		err = is_index ? parse_index(parser, steps) : parse_name(parser, steps);
	}
	return err;
}

static const struct {
	const char *word;
	enum operand_kind kind;
	struct aioevt_value value;
} words[] = {
	{ "args", OPERAND_ARGS, { .type = AIOEVT_NULL } },
	{ "kwargs", OPERAND_KWARGS, { .type = AIOEVT_NULL } },
	{ "event", OPERAND_EVENT, { .type = AIOEVT_NULL } },
	{ "seq", OPERAND_SEQ, { .type = AIOEVT_NULL } },
	{ "true", OPERAND_LITERAL, { .type = AIOEVT_BOOL, .boolean = true } },
	{ "false", OPERAND_LITERAL, { .type = AIOEVT_BOOL, .boolean = false } },
	{ "null", OPERAND_LITERAL, { .type = AIOEVT_NULL } },
};

static int parse_word(struct parser *parser, struct operand *operand)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!is_word(parser, words[i].word))
			continue;
		operand->kind = words[i].kind;
		operand->literal = words[i].value;
		advance(parser);
		return operand->kind == OPERAND_ARGS || operand->kind == OPERAND_KWARGS ?
		       parse_steps(parser, operand) : 0;
	}
	return refuse_token(parser, "args, kwargs, event, seq, true, false, null, a number or "
			    "a text in quotes");
}

static int parse_operand(struct parser *parser, struct operand *operand)
{
	switch (parser->token.kind) {
	case TOKEN_STRING:
		return parse_string(parser, operand);
	case TOKEN_NUMBER:
		return parse_number(parser, &operand->literal);
	case TOKEN_WORD:
		return parse_word(parser, operand);
	default:
		return refuse_token(parser, "a value");
	}
}

/* ---- tests ---------------------------------------------------------------------- */

static int compile_regex(struct parser *parser, struct where *node, const char *text,
			 const char *start)
{
	char why[200] = "regular expression: ";
	size_t len = strlen(why);
	int error;

	node->regex = malloc(sizeof(*node->regex));
	if (!node->regex)
		return -ENOMEM;
	error = regcomp(node->regex, text, REG_EXTENDED | REG_NOSUB);
	if (!error)
		return 0;
	regerror(error, node->regex, why + len, sizeof(why) - len);
	free(node->regex);
	node->regex = NULL;
	return error == REG_ESPACE ? -ENOMEM : refuse(parser, start, why);
}

static int parse_regex(struct parser *parser, struct where *node)
{
	const char *start = parser->token.start;
	char *text;
	size_t len;
	int err;

	if (parser->token.kind != TOKEN_STRING)
		return refuse_token(parser, "a regular expression in quotes");
	err = unquote(parser, &text, &len);
	if (err < 0)
		return err;
	if (len > REGEX_MAX)
		err = refuse(parser, start, "a regular expression over 4096 bytes");
	else if (strlen(text) != len)
		err = refuse(parser, start, "a regular expression with a NUL in it");
	else
		err = compile_regex(parser, node, text, start);
	free(text);
	return err;
}

/* @is_denied: behind "!", where C and others disagree about what comes first. */
static int parse_test(struct parser *parser, bool is_denied, struct where *node)
{
	enum token_kind kind;
	int err = parse_operand(parser, &node->left);

	if (err < 0)
		return err;
	kind = parser->token.kind;
	node->op = OP_TRUE;
	if (kind < TOKEN_EQ)
		return 0;
	if (is_denied)
		return refuse(parser, parser->token.start,
			      "\"!\" before a comparison wants parentheses: !(a == b)");
	node->op = OP_EQ + (kind - TOKEN_EQ);
	advance(parser);
	return kind >= TOKEN_LIKE ? parse_regex(parser, node) :
				    parse_operand(parser, &node->right);
}

/* ---- what joins them ------------------------------------------------------------ */

static int parse_or(struct parser *parser, struct where **ret_node);

static int new_node(enum node_kind kind, struct where **ret_node)
{
	*ret_node = calloc(1, sizeof(**ret_node));
	if (!*ret_node)
		return -ENOMEM;
	(*ret_node)->kind = kind;
	return 0;
}

static int deeper(struct parser *parser)
{
	if (++parser->depth > WHERE_DEPTH_MAX)
		return refuse(parser, parser->token.start, "nested more than 100 deep");
	advance(parser);
	return 0;
}

static int parse_group(struct parser *parser, struct where **ret_node)
{
	int err = deeper(parser);

	if (err == 0)
		err = parse_or(parser, ret_node);
	if (err == 0 && parser->token.kind != TOKEN_CLOSE)
		err = refuse_token(parser, "\"&&\", \"||\" or \")\"");
	if (err < 0)
		return err;
	parser->depth--;
	advance(parser);
	return 0;
}

static int parse_not(struct parser *parser, bool is_denied, struct where **ret_node)
{
	int err;

	if (parser->token.kind == TOKEN_OPEN)
		return parse_group(parser, ret_node);
	err = new_node(parser->token.kind == TOKEN_NOT ? NODE_NOT : NODE_TEST, ret_node);
	if (err < 0)
		return err;
	if ((*ret_node)->kind == NODE_TEST)
		return parse_test(parser, is_denied, *ret_node);
	err = deeper(parser);
	if (err == 0)
		err = parse_not(parser, true, &(*ret_node)->first);
	parser->depth--;
	return err;
}

static int parse_and(struct parser *parser, struct where **ret_node)
{
	struct where **next;
	int err = new_node(NODE_AND, ret_node);

	if (err < 0)
		return err;
	next = &(*ret_node)->first;
	for (;;) {
		err = parse_not(parser, false, next);
		if (err < 0 || parser->token.kind != TOKEN_AND)
			return err;
		advance(parser);
		next = &(*next)->next;
	}
}

static int parse_or(struct parser *parser, struct where **ret_node)
{
	struct where **next;
	int err = new_node(NODE_OR, ret_node);

	if (err < 0)
		return err;
	next = &(*ret_node)->first;
	for (;;) {
		err = parse_and(parser, next);
		if (err < 0 || parser->token.kind != TOKEN_OR)
			return err;
		advance(parser);
		next = &(*next)->next;
	}
}

int where_parse(const char *text, struct where **ret_where, struct where_error *ret_error)
{
	struct parser parser = { .text = text, .token = token_next(text), .error = ret_error };
	struct where *where = NULL;
	int err = parse_or(&parser, &where);

	if (err == 0 && parser.token.kind != TOKEN_END)
		err = refuse_token(&parser, "\"&&\", \"||\" or the end");
	if (err < 0) {
		where_free(where);
		return err;
	}
	*ret_where = where;
	return 0;
}

/* ---- freeing -------------------------------------------------------------------- */

static void free_operand(struct operand *operand)
{
	value_deinit(&operand->literal);
	for (size_t i = 0; i < operand->n_steps; i++)
		free(operand->steps[i].key);
	free(operand->steps);
}

struct where *where_free(struct where *where)
{
	struct where *next;

	for (; where; where = next) {
		next = where->next;
		where_free(where->first);
		free_operand(&where->left);
		free_operand(&where->right);
		if (where->regex)
			regfree(where->regex);
		free(where->regex);
		free(where);
	}
	return NULL;
}
