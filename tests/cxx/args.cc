/* Values, args and kwargs in one line, in C++: see ../args.h. Built and run by tests/check-args. */
/* SPDX-License-Identifier: MIT */
#include "../args.h"

/* What C does not have. */
static void test_cxx_alone()
{
	check_value(AIOEVT_VALUE(true), AIOEVT_BOOL, 1);
	check_value(AIOEVT_VALUE('a'), AIOEVT_INT, 'a');
	check_value(AIOEVT_VALUE(nullptr), AIOEVT_NULL, 0);
	check_value(AIOEVT_VALUE(L'a'), AIOEVT_INT, 'a');
	aioevt_emit(mgr, "x", AIOEVT_ARGS(true, nullptr), AIOEVT_NO_KWARGS);
	CHECK(aioevt_data_arg(emitted.data, 0)->type == AIOEVT_BOOL);
	emitted.data = aioevt_data_unref(emitted.data);
}

int main()
{
	test_all();
	test_cxx_alone();
	return 0;
}
