/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_CLI_LINES_H
#define AIOEVT_CLI_LINES_H

/* The items of a file or pipe, by large reads, as soon as each has come. */

#include <stdbool.h>
#include <stddef.h>

struct lines {
	int fd;
	char delimiter;
	size_t max;		/* bytes of an item */
	char *buf;
	size_t room, start, end;	/* what was read and not taken */
	size_t scanned;		/* of it, without a delimiter */
	bool at_end;
	bool is_cut;		/* the rest of an item is to be passed by */
};

/*
 * The next item, without its delimiter; the last one may lack it. It may be written to, and stays
 * until the next call. Returns 1, 0 at the end, -EMSGSIZE if it is over max, -ENOMEM, or an
 * error of read(2).
 */
int lines_next(struct lines *lines, char **ret_item, size_t *ret_len);

/*
 * After lines_next() returned -EMSGSIZE: take the first max bytes of that item, or up to three fewer
 * so that no UTF-8 character is cut in two. The next call passes the rest by, however long it is.
 */
void lines_cut(struct lines *lines, char **ret_item, size_t *ret_len);

void lines_deinit(struct lines *lines);

#endif
