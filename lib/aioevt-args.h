/* SPDX-License-Identifier: MIT */
#ifndef AIOEVT_ARGS_H
#define AIOEVT_ARGS_H

/*
 * What aioevt.h passes around, written in one line; in C (from C11 on) and in C++ (from C++11 on)
 * alike:
 *
 *	AIOEVT_ARGS(1, 2.5, "three")		0 to 32 values: a struct aioevt_args
 *	AIOEVT_KWARGS("host", "db", "n", 3)	0 to 16 pairs: a struct aioevt_kwargs
 *	AIOEVT_NO_ARGS  AIOEVT_NO_KWARGS	none
 *	AIOEVT_VALUE(x)				one value: a struct aioevt_value
 *	AIOEVT_LIST(1, AIOEVT_LIST(), "x")	a list of 0 to 32 values
 *	AIOEVT_MAP("a", 1, "b", 2)		a map of 0 to 16 pairs
 *	AIOEVT_EMIT(mgr, Name, 1, 2)		aioevt_emit() of the event "Name" with 0 to 32 args
 *
 * x is of any integer type, bool, float, double, char * or const char * (UTF-8; NULL is null), or a
 * struct aioevt_value as it is, for what has no type of its own: AIOEVT_ARGS(aioevt_null(),
 * aioevt_bytes(p, n)). Keys are char * or const char *. Anything else, a key without a value, and
 * more than there is room for, do not compile. A key that is NULL is -EINVAL when it is used, and
 * one that is there twice -EEXIST. The name in AIOEVT_EMIT() is a word, or words with dots between.
 *
 * Each argument is evaluated once. Nothing is copied: in C the values last as long as the block
 * around, in C++ to the end of the full expression, so there use them as arguments of a call only.
 *
 * In C before C23, true, false and what a comparison gives are of type int, so they are integers
 * here; (bool)true, or a variable of type bool, is a bool.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <aioevt.h>

/* Also where a program has it inside of extern "C": templates and overloads have C++ linkage. */
#ifdef __cplusplus
extern "C++" {
#include <initializer_list>
#endif

/* ---- one value -------------------------------------------------------------------------- */

#ifdef __cplusplus
#define AIOEVT_INLINE_ inline
#define AIOEVT_NOWHERE_ nullptr
#else
#define AIOEVT_INLINE_ static inline
#define AIOEVT_NOWHERE_ NULL
#endif

/* As the functions without "_" at the end, but the compiler sees through them. */
AIOEVT_INLINE_ struct aioevt_value aioevt_value_(uint8_t type)
{
	struct aioevt_value value;

	value.type = type;
	value.is_owned = 0;
	value.reserved = 0;
	value.room = 0;
	value.natural = 0;
	value.string = AIOEVT_NOWHERE_;
	return value;
}

AIOEVT_INLINE_ struct aioevt_value aioevt_bool_(int boolean)
{
	struct aioevt_value value = aioevt_value_(AIOEVT_BOOL);

	value.boolean = boolean != 0;
	return value;
}

AIOEVT_INLINE_ struct aioevt_value aioevt_int_(int64_t integer)
{
	struct aioevt_value value = aioevt_value_(AIOEVT_INT);

	value.integer = integer;
	return value;
}

AIOEVT_INLINE_ struct aioevt_value aioevt_uint_(uint64_t natural)
{
	struct aioevt_value value = aioevt_value_(natural > INT64_MAX ? AIOEVT_UINT : AIOEVT_INT);

	value.natural = natural;
	return value;
}

AIOEVT_INLINE_ struct aioevt_value aioevt_double_(double real)
{
	struct aioevt_value value = aioevt_value_(AIOEVT_DOUBLE);

	value.real = real;
	return value;
}

AIOEVT_INLINE_ struct aioevt_value aioevt_text_(const char *text)
{
	struct aioevt_value value = aioevt_value_(text ? AIOEVT_TEXT : AIOEVT_NULL);

	value.n = text ? strlen(text) : 0;
	value.string = text;
	return value;
}

#ifndef __cplusplus

AIOEVT_INLINE_ struct aioevt_value aioevt_same_(struct aioevt_value value)
{
	return value;
}

#define AIOEVT_VALUE(x) _Generic((x), \
	_Bool: aioevt_bool_, \
	char: aioevt_int_, signed char: aioevt_int_, short: aioevt_int_, \
	int: aioevt_int_, long: aioevt_int_, long long: aioevt_int_, \
	unsigned char: aioevt_uint_, unsigned short: aioevt_uint_, unsigned: aioevt_uint_, \
	unsigned long: aioevt_uint_, unsigned long long: aioevt_uint_, \
	float: aioevt_double_, double: aioevt_double_, \
	char *: aioevt_text_, const char *: aioevt_text_, \
	struct aioevt_value: aioevt_same_)(x)

#define AIOEVT_KEY_(k) _Generic((k), char *: aioevt_text_, const char *: aioevt_text_)(k)

#define AIOEVT_MAKE_ARGS_(n, ...) \
	((struct aioevt_args){ (const struct aioevt_value[]){ __VA_ARGS__ }, (n) })
#define AIOEVT_MAKE_KWARGS_(n, ...) \
	((struct aioevt_kwargs){ (const struct aioevt_value[]){ __VA_ARGS__ }, (n) })
#define AIOEVT_MAKE_LIST_(n, ...) \
	aioevt_list((const struct aioevt_value[]){ __VA_ARGS__ }, (n))
#define AIOEVT_MAKE_MAP_(n, ...) \
	aioevt_map((const struct aioevt_member[]){ __VA_ARGS__ }, (n) / 2)

#define AIOEVT_NO_ARGS		((struct aioevt_args){ NULL, 0 })
#define AIOEVT_NO_KWARGS	((struct aioevt_kwargs){ NULL, 0 })

#else

namespace aioevt_cxx {

inline aioevt_value value(bool x) { return aioevt_bool_(x); }
inline aioevt_value value(char x) { return aioevt_int_(x); }
inline aioevt_value value(signed char x) { return aioevt_int_(x); }
inline aioevt_value value(short x) { return aioevt_int_(x); }
inline aioevt_value value(int x) { return aioevt_int_(x); }
inline aioevt_value value(long x) { return aioevt_int_(x); }
inline aioevt_value value(long long x) { return aioevt_int_(x); }
inline aioevt_value value(unsigned char x) { return aioevt_uint_(x); }
inline aioevt_value value(unsigned short x) { return aioevt_uint_(x); }
inline aioevt_value value(unsigned x) { return aioevt_uint_(x); }
inline aioevt_value value(unsigned long x) { return aioevt_uint_(x); }
inline aioevt_value value(unsigned long long x) { return aioevt_uint_(x); }
inline aioevt_value value(float x) { return aioevt_double_(static_cast<double>(x)); }
inline aioevt_value value(double x) { return aioevt_double_(x); }
inline aioevt_value value(char *x) { return aioevt_text_(x); }
inline aioevt_value value(const char *x) { return aioevt_text_(x); }
inline aioevt_value value(decltype(nullptr)) { return aioevt_value_(AIOEVT_NULL); }
inline aioevt_value value(const aioevt_value &x) { return x; }

/* Any other pointer would become a bool. */
template <class T> aioevt_value value(T *) = delete;

inline aioevt_value key(const char *k) { return aioevt_text_(k); }

inline aioevt_member member(const aioevt_value &k, const aioevt_value &v)
{
	aioevt_member m;

	m.key = k;
	m.value = v;
	return m;
}

inline aioevt_args args(std::initializer_list<aioevt_value> values)
{
	aioevt_args a;

	a.values = values.begin();
	a.n = values.size();
	return a;
}

inline aioevt_kwargs kwargs(std::initializer_list<aioevt_value> values)
{
	aioevt_kwargs k;

	k.values = values.begin();
	k.n = values.size();
	return k;
}

inline aioevt_value list(std::initializer_list<aioevt_value> items)
{
	return aioevt_list(items.begin(), items.size());
}

inline aioevt_value map(std::initializer_list<aioevt_member> members)
{
	return aioevt_map(members.begin(), members.size());
}

} /* namespace aioevt_cxx */
} /* extern "C++" */

#define AIOEVT_VALUE(x) ::aioevt_cxx::value(x)
#define AIOEVT_KEY_(k) ::aioevt_cxx::key(k)

#define AIOEVT_MAKE_ARGS_(n, ...) ::aioevt_cxx::args({ __VA_ARGS__ })
#define AIOEVT_MAKE_KWARGS_(n, ...) ::aioevt_cxx::kwargs({ __VA_ARGS__ })
#define AIOEVT_MAKE_LIST_(n, ...) ::aioevt_cxx::list({ __VA_ARGS__ })
#define AIOEVT_MAKE_MAP_(n, ...) ::aioevt_cxx::map({ __VA_ARGS__ })

#define AIOEVT_NO_ARGS ::aioevt_cxx::args({})
#define AIOEVT_NO_KWARGS ::aioevt_cxx::kwargs({})

#endif

/* ---- many ------------------------------------------------------------------------------- */

#define AIOEVT_ARGS(...) AIOEVT_CHOOSE_(AIOEVT_ARGS_, __VA_ARGS__)
#define AIOEVT_KWARGS(...) AIOEVT_CHOOSE_(AIOEVT_KWARGS_, __VA_ARGS__)
#define AIOEVT_LIST(...) AIOEVT_CHOOSE_(AIOEVT_LIST_, __VA_ARGS__)
#define AIOEVT_MAP(...) AIOEVT_CHOOSE_(AIOEVT_MAP_, __VA_ARGS__)

/*
 * The name is pasted to AIOEVT_Q_ at once, so that it is not taken for a macro if there is one of
 * that name; of the string, AIOEVT_Q_ is left out.
 */
#define AIOEVT_EMIT(mgr, ...) AIOEVT_EMIT_(mgr, AIOEVT_Q_ ## __VA_ARGS__)

#define AIOEVT_ARGS_NONE_(...) AIOEVT_NO_ARGS
#define AIOEVT_KWARGS_NONE_(...) AIOEVT_NO_KWARGS
#define AIOEVT_LIST_NONE_(...) aioevt_list(AIOEVT_NOWHERE_, 0)
#define AIOEVT_MAP_NONE_(...) aioevt_map(AIOEVT_NOWHERE_, 0)

#define AIOEVT_ARGS_SOME_(n, ...) \
	AIOEVT_MAKE_ARGS_(n, AIOEVT_PASTE_(AIOEVT_EACH_, n, _)(AIOEVT_VALUE, __VA_ARGS__))
#define AIOEVT_KWARGS_SOME_(n, ...) \
	AIOEVT_MAKE_KWARGS_(n, AIOEVT_PASTE_(AIOEVT_PAIRS_, n, _)(AIOEVT_PAIR_, __VA_ARGS__))
#define AIOEVT_LIST_SOME_(n, ...) \
	AIOEVT_MAKE_LIST_(n, AIOEVT_PASTE_(AIOEVT_EACH_, n, _)(AIOEVT_VALUE, __VA_ARGS__))
#define AIOEVT_MAP_SOME_(n, ...) \
	AIOEVT_MAKE_MAP_(n, AIOEVT_PASTE_(AIOEVT_PAIRS_, n, _)(AIOEVT_MEMBER_, __VA_ARGS__))

#define AIOEVT_PAIR_(k, v) AIOEVT_KEY_(k), AIOEVT_VALUE(v)
#ifndef __cplusplus
#define AIOEVT_MEMBER_(k, v) { AIOEVT_KEY_(k), AIOEVT_VALUE(v) }
#else
#define AIOEVT_MEMBER_(k, v) ::aioevt_cxx::member(AIOEVT_KEY_(k), AIOEVT_VALUE(v))
#endif

#define AIOEVT_EMIT_(mgr, ...) \
	AIOEVT_PASTE_(AIOEVT_EMIT_, AIOEVT_SEVERAL_(__VA_ARGS__), _)(mgr, __VA_ARGS__)
#define AIOEVT_EMIT_0_(mgr, name) \
	aioevt_emit((mgr), &#name[9], AIOEVT_NO_ARGS, AIOEVT_NO_KWARGS)
#define AIOEVT_EMIT_1_(mgr, name, ...) \
	aioevt_emit((mgr), &#name[9], AIOEVT_ARGS(__VA_ARGS__), AIOEVT_NO_KWARGS)

/* ---- how many --------------------------------------------------------------------------- */

#define AIOEVT_PASTE_(a, b, c) AIOEVT_PASTE_NOW_(a, b, c)
#define AIOEVT_PASTE_NOW_(a, b, c) a ## b ## c

/* what_NONE_() if there is nothing, else what_SOME_(n, ...). */
#define AIOEVT_CHOOSE_(what, ...) \
	AIOEVT_PASTE_(AIOEVT_CHOOSE_, AIOEVT_IS_EMPTY_(__VA_ARGS__), _)(what, __VA_ARGS__)
#define AIOEVT_CHOOSE_1_(what, ...) what ## NONE_()
#define AIOEVT_CHOOSE_0_(what, ...) what ## SOME_(AIOEVT_COUNT_(__VA_ARGS__), __VA_ARGS__)

/*
 * Nothing is what has no comma, neither by itself, nor behind a macro's name, nor before (), but
 * with both. (Standard C has no shorter way before C23.)
 */
#define AIOEVT_IS_EMPTY_(...) AIOEVT_IS_EMPTY_IF_( \
	AIOEVT_SEVERAL_(__VA_ARGS__), AIOEVT_SEVERAL_(AIOEVT_COMMA_ __VA_ARGS__), \
	AIOEVT_SEVERAL_(__VA_ARGS__ ()), AIOEVT_SEVERAL_(AIOEVT_COMMA_ __VA_ARGS__ ()))
#define AIOEVT_IS_EMPTY_IF_(a, b, c, d) AIOEVT_SEVERAL_(AIOEVT_IS_EMPTY_NOW_(a, b, c, d))
#define AIOEVT_IS_EMPTY_NOW_(a, b, c, d) AIOEVT_IF_ ## a ## b ## c ## d ## _
#define AIOEVT_IF_0001_ ,
#define AIOEVT_COMMA_(...) ,

/* The argument behind 66 others. */
#define AIOEVT_BEHIND_( \
	p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, p16, p17, p18, \
	p19, p20, p21, p22, p23, p24, p25, p26, p27, p28, p29, p30, p31, p32, p33, p34, p35, \
	p36, p37, p38, p39, p40, p41, p42, p43, p44, p45, p46, p47, p48, p49, p50, p51, p52, \
	p53, p54, p55, p56, p57, p58, p59, p60, p61, p62, p63, p64, p65, n, ...) \
	n

/* How many arguments there are, at least 1. */
#define AIOEVT_COUNT_(...) AIOEVT_BEHIND_(__VA_ARGS__, \
	MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, \
	MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, \
	MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, \
	MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, \
	MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, \
	MORE_THAN_32, MORE_THAN_32, MORE_THAN_32, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, \
	23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/* Whether there are several: 1 or 0. */
#define AIOEVT_SEVERAL_(...) AIOEVT_BEHIND_(__VA_ARGS__, \
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, \
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, \
	1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)

/* m(x) of each x, m(k, v) of each pair. */
#define AIOEVT_EACH_1_(m, x) m(x)
#define AIOEVT_EACH_2_(m, x, ...) m(x), AIOEVT_EACH_1_(m, __VA_ARGS__)
#define AIOEVT_EACH_3_(m, x, ...) m(x), AIOEVT_EACH_2_(m, __VA_ARGS__)
#define AIOEVT_EACH_4_(m, x, ...) m(x), AIOEVT_EACH_3_(m, __VA_ARGS__)
#define AIOEVT_EACH_5_(m, x, ...) m(x), AIOEVT_EACH_4_(m, __VA_ARGS__)
#define AIOEVT_EACH_6_(m, x, ...) m(x), AIOEVT_EACH_5_(m, __VA_ARGS__)
#define AIOEVT_EACH_7_(m, x, ...) m(x), AIOEVT_EACH_6_(m, __VA_ARGS__)
#define AIOEVT_EACH_8_(m, x, ...) m(x), AIOEVT_EACH_7_(m, __VA_ARGS__)
#define AIOEVT_EACH_9_(m, x, ...) m(x), AIOEVT_EACH_8_(m, __VA_ARGS__)
#define AIOEVT_EACH_10_(m, x, ...) m(x), AIOEVT_EACH_9_(m, __VA_ARGS__)
#define AIOEVT_EACH_11_(m, x, ...) m(x), AIOEVT_EACH_10_(m, __VA_ARGS__)
#define AIOEVT_EACH_12_(m, x, ...) m(x), AIOEVT_EACH_11_(m, __VA_ARGS__)
#define AIOEVT_EACH_13_(m, x, ...) m(x), AIOEVT_EACH_12_(m, __VA_ARGS__)
#define AIOEVT_EACH_14_(m, x, ...) m(x), AIOEVT_EACH_13_(m, __VA_ARGS__)
#define AIOEVT_EACH_15_(m, x, ...) m(x), AIOEVT_EACH_14_(m, __VA_ARGS__)
#define AIOEVT_EACH_16_(m, x, ...) m(x), AIOEVT_EACH_15_(m, __VA_ARGS__)
#define AIOEVT_EACH_17_(m, x, ...) m(x), AIOEVT_EACH_16_(m, __VA_ARGS__)
#define AIOEVT_EACH_18_(m, x, ...) m(x), AIOEVT_EACH_17_(m, __VA_ARGS__)
#define AIOEVT_EACH_19_(m, x, ...) m(x), AIOEVT_EACH_18_(m, __VA_ARGS__)
#define AIOEVT_EACH_20_(m, x, ...) m(x), AIOEVT_EACH_19_(m, __VA_ARGS__)
#define AIOEVT_EACH_21_(m, x, ...) m(x), AIOEVT_EACH_20_(m, __VA_ARGS__)
#define AIOEVT_EACH_22_(m, x, ...) m(x), AIOEVT_EACH_21_(m, __VA_ARGS__)
#define AIOEVT_EACH_23_(m, x, ...) m(x), AIOEVT_EACH_22_(m, __VA_ARGS__)
#define AIOEVT_EACH_24_(m, x, ...) m(x), AIOEVT_EACH_23_(m, __VA_ARGS__)
#define AIOEVT_EACH_25_(m, x, ...) m(x), AIOEVT_EACH_24_(m, __VA_ARGS__)
#define AIOEVT_EACH_26_(m, x, ...) m(x), AIOEVT_EACH_25_(m, __VA_ARGS__)
#define AIOEVT_EACH_27_(m, x, ...) m(x), AIOEVT_EACH_26_(m, __VA_ARGS__)
#define AIOEVT_EACH_28_(m, x, ...) m(x), AIOEVT_EACH_27_(m, __VA_ARGS__)
#define AIOEVT_EACH_29_(m, x, ...) m(x), AIOEVT_EACH_28_(m, __VA_ARGS__)
#define AIOEVT_EACH_30_(m, x, ...) m(x), AIOEVT_EACH_29_(m, __VA_ARGS__)
#define AIOEVT_EACH_31_(m, x, ...) m(x), AIOEVT_EACH_30_(m, __VA_ARGS__)
#define AIOEVT_EACH_32_(m, x, ...) m(x), AIOEVT_EACH_31_(m, __VA_ARGS__)

#define AIOEVT_PAIRS_2_(m, k, v) m(k, v)
#define AIOEVT_PAIRS_4_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_2_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_6_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_4_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_8_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_6_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_10_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_8_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_12_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_10_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_14_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_12_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_16_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_14_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_18_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_16_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_20_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_18_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_22_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_20_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_24_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_22_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_26_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_24_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_28_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_26_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_30_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_28_(m, __VA_ARGS__)
#define AIOEVT_PAIRS_32_(m, k, v, ...) m(k, v), AIOEVT_PAIRS_30_(m, __VA_ARGS__)

#endif
