/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_JSON_H
#define AIOEVT_JSON_H

/*
 * Values as JSON, so that what is written is read back as the same value, type included.
 * JSON has no form for some of them; an object with one member stands for these:
 *
 *   {"$bytes":"BASE64"}                         bytes
 *   {"$float":"NaN"}, "Infinity", "-Infinity"   a double that is not finite
 *   {"$int":"DECIMAL"}                          an integer, for writers that have only
 *                                               doubles; never written
 *   {"$$key":VALUE}                             the map {"$key":VALUE}: a map whose only
 *                                               key starts with "$" is given one more
 *
 * A number with a point or an exponent is a double, any other an integer.
 */

#include <stdio.h>

#include "value.h"

struct json_error {
	char why[256];		/* one line for the user */
};

/*
 * Read one value, nested @depth deep at most. Returns 0, -EINVAL with the reason in
 * *ret_error, or -ENOMEM.
 */
int json_read(const char *text, size_t len, unsigned depth, struct aioevt_value *ret_value,
	      struct json_error *ret_error);

/*
 * Read {"args":[...],"kwargs":{...}}; either may be left out. The members that "aioevt
 * wait --json" adds (event, seq, time, missed) are skipped, others are an error.
 */
int json_read_data(const char *text, size_t len, struct data *ret_data,
		   struct json_error *ret_error);

struct json_record {
	struct data data;
	struct aioevt_value event;	/* text, or null if it is not there */
	uint64_t time;			/* 0: not there */
};

/* The same with the name and time of the record; json_record_deinit() frees it. */
int json_read_record(const char *text, size_t len, struct json_record *ret_record,
		     struct json_error *ret_error);
void json_record_deinit(struct json_record *record);

/* Write a value on one line. Returns 0 or -ENOMEM; ferror() tells about @out. */
int json_write(FILE *out, const struct aioevt_value *value);

/* Write a text as it is in JSON, with its quotes. */
int json_write_text(FILE *out, const char *text, size_t len);

#endif
