/* SPDX-License-Identifier: MIT */
#include "on-words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "variable.h"

#define DIGITS	"0123456789"
#define LETTERS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define MAX_DIGITS 9

/* ---- which words are placeholders ------------------------------------------------ */

/* A number as one writes it: 0, 7, 12, not 007. */
static bool is_index(const char *inside, size_t len)
{
	return len && len <= MAX_DIGITS && strspn(inside, DIGITS) == len &&
	       (*inside != '0' || len == 1);
}

static bool is_key(const char *inside, size_t len)
{
	return len && strchr(LETTERS, *inside) && strspn(inside, LETTERS DIGITS ".-") == len;
}

/* What stands next in a word. */
struct piece {
	size_t len;		/* bytes of the word */
	const char *inside;	/* of a placeholder, else NULL: text that stands for itself */
	size_t n_inside;
	size_t n_text;		/* bytes of the text, from @skip on */
	size_t skip;
};

static size_t count(const char *text, char c)
{
	size_t n = 0;

	while (text[n] == c)
		n++;
	return n;
}

/*
 * Behind @n_open braces and a name stand @n_close. With two or more of both it is a text in one pair
 * of braces too many; else the inner pair is a placeholder.
 */
static struct piece find_named(const char *at, size_t n_open, size_t n_name, size_t n_close)
{
	bool is_text = n_open > 1 && n_close > 1;

	if (is_text)
		return (struct piece){ .len = n_open + n_name + n_close, .skip = 1,
				       .n_text = n_open + n_name + n_close - 2 };
	if (n_open > 1)
		return (struct piece){ .len = n_open - 1, .n_text = n_open - 1 };
	return (struct piece){ .len = n_name + 2, .inside = at + 1, .n_inside = n_name };
}

/* The piece at @at, which is not the end of the word. @is_shell: "$" stands before it. */
static struct piece find_piece(const char *at, bool is_shell)
{
	size_t n_open = count(at, '{'), n_name, n_close;

	if (!n_open) {
		n_name = strcspn(at, "{");
		return (struct piece){ .len = n_name, .n_text = n_name };
	}
	n_name = strspn(at + n_open, LETTERS DIGITS ".-");
	n_close = count(at + n_open + n_name, '}');
	if (!is_shell && n_close &&
	    (is_index(at + n_open, n_name) || is_key(at + n_open, n_name)))
		return find_named(at, n_open, n_name, n_close);
	return (struct piece){ .len = n_open, .n_text = n_open };
}

static bool is_plain(const struct piece *piece)
{
	return !piece->inside && !piece->skip;
}

bool word_has_placeholder(const char *word)
{
	struct piece piece;

	for (const char *at = word; *at; at += piece.len) {
		piece = find_piece(at, at > word && at[-1] == '$');
		if (!is_plain(&piece))
			return true;
	}
	return false;
}

/* ---- what they stand for ---------------------------------------------------------- */

static bool is(const char *inside, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(inside, name, len);
}

static const struct aioevt_value *find_value(const char *inside, size_t len,
					     const struct data *data)
{
	const struct aioevt_member *m = data->kwargs.members;
	size_t i;

	if (is_index(inside, len)) {
		i = strtoul(inside, NULL, 10);
		return i < data->args.n ? &data->args.items[i] : NULL;
	}
	for (i = 0; i < data->kwargs.n; i++)
		if (m[i].key.n == len && !memcmp(m[i].key.string, inside, len))
			return &m[i].value;
	return NULL;
}

/* Print what it stands for. Returns 0, -ENOENT or -ENOMEM. */
static int print(FILE *out, const char *inside, size_t len, const struct heard *heard,
		 const struct data *data)
{
	const struct aioevt_value *value;

	if (is(inside, len, "event")) {
		fputs(heard->event, out);
	} else if (is(inside, len, "seq")) {
		fprintf(out, "%" PRIu64, heard->seq);
	} else if (is(inside, len, "time")) {
		fprintf(out, "%" PRIu64, heard->time);
	} else if (is(inside, len, "missed")) {
		fprintf(out, "%" PRIu64, heard->missed);
	} else {
		value = find_value(inside, len, data);
		return value ? variable_print_value(out, value) : -ENOENT;
	}
	return 0;
}

int word_expand(const char *word, const struct heard *heard, const struct data *data,
		char **ret_text, const char **ret_missing, size_t *ret_len)
{
	struct piece piece;
	char *text = NULL;
	size_t size;
	FILE *out;
	int err = 0;

	*ret_text = NULL;
	if (!word_has_placeholder(word))
		return 0;
	out = open_memstream(&text, &size);
	if (!out)
		return -ENOMEM;
	for (const char *at = word; *at && !err; at += piece.len) {
		piece = find_piece(at, at > word && at[-1] == '$');
		fwrite(at + piece.skip, 1, piece.n_text, out);
		if (piece.inside)
			err = print(out, piece.inside, piece.n_inside, heard, data);
		*ret_missing = at;
		*ret_len = piece.len;
	}
	if (fclose(out) != 0)
		err = -ENOMEM;
	if (err < 0) {
		free(text);
		return err;
	}
	*ret_text = text;
	return 0;
}
