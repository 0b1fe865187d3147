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

/* Is it "{...}"? Then what is inside. */
static bool open_braces(const char *word, size_t len, const char **ret_inside,
			size_t *ret_len)
{
	if (len < 3 || word[0] != '{' || word[len - 1] != '}')
		return false;
	*ret_inside = word + 1;
	*ret_len = len - 2;
	return true;
}

static bool find_inside(const char *word, size_t len, const char **ret_inside,
			size_t *ret_len)
{
	return open_braces(word, len, ret_inside, ret_len) &&
	       (is_index(*ret_inside, *ret_len) || is_key(*ret_inside, *ret_len));
}

bool word_is_placeholder(const char *word)
{
	const char *inside;
	size_t len;

	return find_inside(word, strlen(word), &inside, &len);
}

/* Is it a placeholder in one more pair of braces, or in several? */
static bool is_escaped(const char *word, size_t len)
{
	const char *inside, *inmost;
	size_t n_inside, n_inmost;

	if (!open_braces(word, len, &inside, &n_inside))
		return false;
	return find_inside(inside, n_inside, &inmost, &n_inmost) || is_escaped(inside, n_inside);
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

/* The word without its outer braces. */
static int unescape(const char *word, size_t len, char **ret_owned)
{
	*ret_owned = strndup(word + 1, len - 2);
	return *ret_owned ? 0 : -ENOMEM;
}

int word_expand(char *word, const struct heard *heard, const struct data *data,
		char **ret_text, char **ret_owned)
{
	size_t len = strlen(word), size;
	const char *inside;
	char *text = NULL;
	FILE *memory;
	int err;

	*ret_text = word;
	*ret_owned = NULL;
	if (is_escaped(word, len)) {
		err = unescape(word, len, ret_owned);
		*ret_text = *ret_owned;
		return err;
	}
	if (!find_inside(word, len, &inside, &len))
		return 0;

	memory = open_memstream(&text, &size);
	if (!memory)
		return -ENOMEM;
	err = print(memory, inside, len, heard, data);
	if (fclose(memory) != 0)
		err = -ENOMEM;
	if (err < 0) {
		free(text);
		return err;
	}
	*ret_text = *ret_owned = text;
	return 0;
}
