/* SPDX-License-Identifier: MIT */
/* Whether there is a program of that name, before it is needed. */
#include "executable.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH	"/bin:/usr/bin"		/* of execvp(3), without PATH */

static int check_file(const char *file)
{
	struct stat st;

	if (stat(file, &st) < 0)
		return errno == EACCES ? -EACCES : -ENOENT;
	return S_ISREG(st.st_mode) && access(file, X_OK) == 0 ? 0 : -EACCES;
}

int executable_check(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char file[PATH_MAX];
	int err = -ENOENT, found;

	if (strchr(name, '/') || !*name)
		return check_file(name);
	for (path = path ? path : DEFAULT_PATH; path; path = *end ? end + 1 : NULL) {
		int len;

		end = strchrnul(path, ':');
		/* An empty part is the working directory. */
		len = snprintf(file, sizeof(file), "%.*s%s%s", (int)(end - path), path,
			       end > path ? "/" : "", name);
		found = len < (int)sizeof(file) ? check_file(file) : -ENOENT;
		if (!found)
			return 0;
		if (found == -EACCES)
			err = -EACCES;
	}
	return err;
}
