/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_VARIABLE_H
#define AIOEVT_VARIABLE_H

/* What the data of a record is called, and how it is written, in variables of a shell. */

#include <stdio.h>

#include "value.h"

/* Text or bytes, which a variable holds as they are; unless they have a NUL. */
bool variable_is_string(const struct aioevt_value *value);
bool variable_has_nul(const struct aioevt_value *value);

/*
 * Print the variable of a key. AIOEVT_KW_ with the key if it is letters, digits and "_"; else
 * AIOEVT_KX_ with "_" and two hexadecimal digits for every byte, "_" too, that is no
 * letter or digit. So no two keys have one variable.
 */
void variable_print_key(FILE *out, const struct aioevt_value *key);

/*
 * Print what the variable of a value holds: a string as it is, others, and strings with a
 * NUL, as JSON. Returns 0 or -ENOMEM.
 */
int variable_print_value(FILE *out, const struct aioevt_value *value);

#endif
