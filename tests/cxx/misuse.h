/* SPDX-License-Identifier: MIT */
/* tests/check-args wants an error in each line of this that has BAD, in C and in C++. */
#include <aioevt.h>

extern struct aioevt *mgr;
extern struct opaque *pointer;
extern void *any;
extern unsigned char *bytes;

/* A function each, because gcc complains of an unknown name only once in a function. */
#define FUNCTION_AT_(line, statement) void at_ ## line(void); void at_ ## line(void) { statement; }
#define FUNCTION_AT(line, statement) FUNCTION_AT_(line, statement)
#define OK(statement) FUNCTION_AT(__LINE__, statement)
#define BAD(statement) FUNCTION_AT(__LINE__, statement)

OK(aioevt_emit(mgr, "x", AIOEVT_ARGS(1), AIOEVT_KWARGS("a", 1)))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(pointer), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(any), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(bytes), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(1.0l), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(1, ), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(), AIOEVT_KWARGS("a")))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(), AIOEVT_KWARGS("a", 1, "b")))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(), AIOEVT_KWARGS(1, 1)))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(), AIOEVT_KWARGS("a", 1, aioevt_null(), 1)))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(AIOEVT_MAP("a")), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(AIOEVT_MAP(1, 2)), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(AIOEVT_LIST(any)), AIOEVT_NO_KWARGS))
BAD(AIOEVT_EMIT(mgr, "x", 1))
#define MANY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
OK(aioevt_emit(mgr, "x", AIOEVT_ARGS(MANY, MANY), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(MANY, MANY, 33), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(MANY, MANY, MANY, MANY, 3), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(MANY, MANY, MANY, MANY, 3, 3, 3), AIOEVT_NO_KWARGS))
BAD(aioevt_emit(mgr, "x", AIOEVT_ARGS(MANY, MANY, MANY, MANY, MANY), AIOEVT_NO_KWARGS))
BAD(AIOEVT_EMIT(mgr, Name, MANY, MANY, 33))
