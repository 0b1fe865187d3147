/* Values, args and kwargs in one line, in C: see args.h. */
/* SPDX-License-Identifier: MIT */
#include <stdbool.h>

#include "args.h"

int main(void)
{
	test_all();
	return 0;
}
