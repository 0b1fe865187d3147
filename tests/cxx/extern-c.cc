/* SPDX-License-Identifier: MIT */
/* The headers inside of extern "C", where programs that include C headers like to have them. */

extern "C" {
#include <aioevt.h>
#include <aioevt-shm.h>
}

int main()
{
	aioevt_data *data = nullptr;
	int64_t n = 0;

	if (aioevt_data_new(AIOEVT_ARGS(1, "two", AIOEVT_LIST(3)), AIOEVT_KWARGS("n", 4), &data) ||
	    aioevt_get_int(data, 0, "n", &n))
		return 1;
	aioevt_data_unref(data);
	return n != 4;
}
