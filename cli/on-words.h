/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_ON_WORDS_H
#define AIOEVT_ON_WORDS_H

/*
 * The placeholders of COMMAND in "aioevt on": {event}, {seq}, {time}, {missed}, a positional
 * argument {0}, a value by its key {name}. A word is one only if it is nothing else: {name}
 * with a key as "aioevt emit" takes it, or a number. Such a word in one more pair of braces
 * stands for itself without them. Any other word, "{}" too, stands for itself.
 */

#include "ear.h"
#include "value.h"

/* Whether the word is one, or stands for one in braces: not the same for each record. */
bool word_is_placeholder(const char *word);

/*
 * What the word stands for. *ret_text is the word itself or a part of it if *ret_owned is
 * NULL, else memory to be freed, which is the same. Returns 0, -ENOENT if the record has no
 * such thing, or -ENOMEM.
 */
int word_expand(char *word, const struct heard *heard, const struct data *data,
		char **ret_text, char **ret_owned);

#endif
