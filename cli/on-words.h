/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_ON_WORDS_H
#define AIOEVT_ON_WORDS_H

/*
 * The placeholders in the words of COMMAND in "aioevt on": {event}, {seq}, {time}, {missed}, a
 * positional argument {0}, a value by its key {name}, anywhere in a word. A name is a key as "aioevt
 * emit" takes it, or a number. One more pair of braces makes it a text without them: {{0}} is {0}.
 * Behind "$" it is left alone, for the shell's ${name}; so are other braces, "{}" too.
 */

#include <stdbool.h>

#include "ear.h"
#include "value.h"

/* Whether the word has a placeholder, or one in braces: it is not the same for each record. */
bool word_has_placeholder(const char *word);

/*
 * Write the word with the values of the record in the place of placeholders. Returns 0 and memory to
 * be freed, or NULL if the word has no placeholder; -ENOMEM; or -ENOENT if the record has no value
 * for the placeholder whose *ret_len bytes begin at *ret_missing in the word.
 */
int word_expand(const char *word, const struct heard *heard, const struct data *data,
		char **ret_text, const char **ret_missing, size_t *ret_len);

#endif
