/* SPDX-License-Identifier: MIT */
/* A pointer that is required and NULL is -EINVAL: every exported function, each of its pointers. */

#include "aioevt.h"
#include "bus.h"

#include <limits.h>

#define ALL		UINT_MAX
#define MAX_CALLS	256

static struct {
	const char *name;
	unsigned n_pointers;
} calls[MAX_CALLS];
static unsigned n_calls;

/* Of the call under test: which of its pointers is NULL, and what was found. */
static struct {
	const char *name;
	unsigned null_at, n_pointers;
	bool is_over, lacks_required;
} now;

/* What calls are made with. */
static struct {
	struct aioevt *mgr;
	struct aioevt_loop *loop;
	struct aioevt_evt *evt;
	struct aioevt_raw *raw;
	struct aioevt_data *data;
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_config config;
	const char *name, *text;
	struct aioevt_value values[2];
	struct aioevt_member member;
} good;

/* What they give; released after each. */
static struct {
	struct aioevt *mgr;
	struct aioevt_loop *loop;
	struct aioevt_evt *evt;
	struct aioevt_raw *raw;
	struct aioevt_data *data;
	struct aioevt_shm *bus;
	struct aioevt_shm_event *event;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_sub *sub;
	struct aioevt_shm_inspection *inspection;
	struct aioevt_shm_info info;
	struct aioevt_shm_event_info event_info;
	struct aioevt_shm_record record;
	const char *text;
	const void *bytes;
	char buf[4200];
	size_t size;
	uint64_t u, v;
	int64_t i;
	uint32_t n;
	int b;
	double d;
} out;

static void on_event(struct aioevt_evt *evt, struct aioevt_data *data, void *userdata)
{
	(void)evt, (void)data, (void)userdata;
}
static aioevt_fn fn = on_event;

static void release_outputs(void)
{
	aioevt_evt_unref(out.evt);
	aioevt_loop_unref(out.loop);
	aioevt_raw_close(out.raw);
	aioevt_data_unref(out.data);
	aioevt_close(out.mgr);
	aioevt_shm_sub_close(out.sub);
	aioevt_shm_listener_free(out.listener);
	aioevt_shm_event_close(out.event);
	aioevt_shm_close(out.bus);
	aioevt_shm_inspection_free(out.inspection);
	memset(&out, 0, sizeof(out));
}

static void *pick(const void *pointer, bool is_required)
{
	bool is_null = now.null_at == ALL || now.null_at == now.n_pointers;

	now.n_pointers++;
	now.lacks_required |= is_null && is_required;
	return is_null ? NULL : (void *)(uintptr_t)pointer;
}

/* An argument that must not be NULL; one that may be. */
#define P(x) ((__typeof__(x))pick((const void *)(x), true))
#define O(x) ((__typeof__(x))pick((const void *)(x), false))

static bool begin_next(const char *name)
{
	if (now.name != name) {
		memset(&now, 0, sizeof(now));
		now.name = name;
	} else if (now.null_at == ALL || !now.n_pointers) {
		check(n_calls < MAX_CALLS);
		calls[n_calls].name = name;
		calls[n_calls++].n_pointers = now.n_pointers;
		return false;
	} else {
		now.null_at = now.null_at + 1 < now.n_pointers ? now.null_at + 1 : ALL;
	}
	now.n_pointers = 0;
	now.lacks_required = false;
	return true;
}

static void judge(long want, long got)
{
	bool is_right = now.lacks_required ? got == want : got != -EINVAL || !now.n_pointers;

	if (!is_right)
		fprintf(stderr, "%s with NULL for pointer %d: %ld, not %ld\n", now.name,
			(int)now.null_at, got, want);
	check(is_right);
	release_outputs();
}

/* Call @f with NULL for each pointer in turn, then for all: it returns @want. */
#define TRY(f, want, call) \
	do { \
		static const char name_[] = #f; \
		while (begin_next(name_)) \
			judge((want), (long)(call)); \
	} while (0)
#define TRY_VOID(f, call) TRY(f, 0, ((call), 0))
#define BAD (-EINVAL)

static struct aioevt_args args_of(const struct aioevt_value *values)
{
	return (struct aioevt_args){ values, 1 };
}

static struct aioevt_kwargs kwargs_of(const struct aioevt_value *values)
{
	return (struct aioevt_kwargs){ values, 2 };
}

#define ARGS args_of(P(&good.values[0]))
#define KWARGS kwargs_of(P(&good.values[0]))

static const char *const *names_of(const char *name)
{
	static const char *names[1];

	names[0] = name;
	return names;
}

/* Values are looked at where they are used. */
static int use_value(struct aioevt_value value)
{
	return aioevt_data_new((struct aioevt_args){ &value, 1 }, (struct aioevt_kwargs){ NULL, 0 },
			       &out.data);
}

static void try_values(void)
{
	TRY(aioevt_null, 0, use_value(aioevt_null()));
	TRY(aioevt_bool, 0, use_value(aioevt_bool(1)));
	TRY(aioevt_int, 0, use_value(aioevt_int(1)));
	TRY(aioevt_uint, 0, use_value(aioevt_uint(1)));
	TRY(aioevt_double, 0, use_value(aioevt_double(1)));
	TRY(aioevt_text, 0, use_value(aioevt_text(O(good.text))));
	TRY(aioevt_text_n, BAD, use_value(aioevt_text_n(P(good.text), 4)));
	TRY(aioevt_bytes, BAD, use_value(aioevt_bytes(P(good.text), 4)));
	TRY(aioevt_list, BAD, use_value(aioevt_list(P(&good.values[0]), 1)));
	TRY(aioevt_map, BAD, use_value(aioevt_map(P(&good.member), 1)));
	TRY(aioevt_strerror, 0, (aioevt_strerror(0), 0));
	TRY(aioevt_in_ms, 0, (aioevt_in_ms(0), 0));
	TRY(aioevt_in_ns, 0, (aioevt_in_ns(0), 0));
}

static void try_data(void)
{
	struct aioevt_value hollow = aioevt_text_n(NULL, 1);
	struct aioevt_value text = aioevt_text("t"), pair[] = { hollow, text };
	struct aioevt_kwargs hollow_key = { pair, 2 };

	check_eq(use_value(aioevt_list(&hollow, 1)), -EINVAL);
	check_eq(aioevt_data_new((struct aioevt_args){ NULL, 0 }, hollow_key, &out.data), -EINVAL);
	check_eq(aioevt_emit(good.mgr, "e", (struct aioevt_args){ NULL, 0 }, hollow_key), -EINVAL);
	check_eq(aioevt_emit(good.mgr, "e", (struct aioevt_args){ &hollow, 1 },
			     (struct aioevt_kwargs){ NULL, 0 }), -EINVAL);

	TRY(aioevt_data_new, BAD, aioevt_data_new(ARGS, KWARGS, P(&out.data)));
	TRY(aioevt_data_ref, 0, aioevt_data_ref(P(good.data)));
	TRY(aioevt_data_unref, 0, aioevt_data_unref(P(good.data)));
	TRY(aioevt_data_copy, BAD, aioevt_data_copy(P(good.data), P(&out.data)));
	TRY(aioevt_data_add, BAD, aioevt_data_add(P(good.data), aioevt_text_n(P(good.text), 4)));
	TRY(aioevt_data_set, BAD, aioevt_data_set(P(good.data), P(good.name),
						  aioevt_text_n(P(good.text), 4)));
	TRY(aioevt_data_unset, BAD, aioevt_data_unset(P(good.data), P(good.name)));
	TRY(aioevt_data_n_args, 0, aioevt_data_n_args(P(good.data)));
	TRY(aioevt_data_n_kwargs, 0, aioevt_data_n_kwargs(P(good.data)));
	TRY(aioevt_data_arg, 0, aioevt_data_arg(P(good.data), 0));
	TRY(aioevt_data_kwarg, 0, aioevt_data_kwarg(P(good.data), P(good.name)));
	TRY(aioevt_data_member, 0, aioevt_data_member(P(good.data), 0));
	TRY(aioevt_data_event, 0, aioevt_data_event(P(good.data))[0]);
	TRY(aioevt_data_seq, 0, aioevt_data_seq(P(good.data)));
	TRY(aioevt_data_time, 0, aioevt_data_time(P(good.data)));
	TRY(aioevt_data_missed, 0, aioevt_data_missed(P(good.data)));
	TRY(aioevt_data_payload, BAD, aioevt_data_payload(P(good.data), P(&out.bytes), P(&out.size)));
	/* nothing is the same as nothing only */
	TRY(aioevt_data_equal, now.null_at == ALL, aioevt_data_equal(P(good.data), P(good.data)));

	TRY(aioevt_get_bool, BAD, aioevt_get_bool(good.data, 0, O(good.name), P(&out.b)));
	TRY(aioevt_get_int, BAD, aioevt_get_int(good.data, 0, O(good.name), P(&out.i)));
	TRY(aioevt_get_uint, BAD, aioevt_get_uint(good.data, 0, O(good.name), P(&out.u)));
	TRY(aioevt_get_double, BAD, aioevt_get_double(good.data, 0, O(good.name), P(&out.d)));
	TRY(aioevt_get_text, BAD, aioevt_get_text(good.data, 0, O(good.name), P(&out.text),
						  O(&out.size)));
	TRY(aioevt_get_bytes, BAD, aioevt_get_bytes(good.data, 0, O(good.name), P(&out.bytes),
						    P(&out.size)));
	check_eq(aioevt_get_bool(NULL, 0, NULL, &out.b), -ENOENT);
	check_eq(aioevt_get_int(NULL, 0, NULL, &out.i), -ENOENT);
	check_eq(aioevt_get_uint(NULL, 0, "key", &out.u), -ENOENT);
	check_eq(aioevt_get_double(NULL, 0, "key", &out.d), -ENOENT);
	check_eq(aioevt_get_text(NULL, 0, NULL, &out.text, NULL), -ENOENT);
	check_eq(aioevt_get_bytes(NULL, 0, NULL, &out.bytes, &out.size), -ENOENT);
	release_outputs();
}

static void try_manager(void)
{
	TRY(aioevt_open, BAD, aioevt_open(O(good.name), O(&good.config), AIOEVT_ANONYMOUS, P(&out.mgr)));
	TRY(aioevt_close, 0, aioevt_close(P(good.mgr)));
	TRY(aioevt_set_default_loop, BAD, aioevt_set_default_loop(P(good.mgr), O(good.loop)));
	TRY(aioevt_emit, BAD, aioevt_emit(P(good.mgr), P(good.name), ARGS, KWARGS));
	TRY(aioevt_emit_data, BAD, aioevt_emit_data(P(good.mgr), P(good.name), P(good.data)));
	TRY(aioevt_emit_wait, BAD, aioevt_emit_wait(P(good.mgr), P(good.name), ARGS, KWARGS, 1));
	TRY(aioevt_emit_after, BAD, aioevt_emit_after(P(good.mgr), 3600 * AIOEVT_S, P(good.name),
						      ARGS, KWARGS, O(&out.u)));
	TRY(aioevt_cancel, BAD, aioevt_cancel(P(good.mgr), 1));
	TRY(aioevt_raw_open, BAD, aioevt_raw_open(P(good.mgr), P(good.name), P(&out.raw)));
	TRY(aioevt_raw_emit, BAD, aioevt_raw_emit(P(good.raw), ARGS, KWARGS));
	TRY(aioevt_raw_close, 0, aioevt_raw_close(P(good.raw)));
	TRY(aioevt_register, BAD, aioevt_register(P(good.mgr), P(good.name), P(fn), O(good.data),
						  O(good.loop), 0, O(&out.evt)));
	TRY(aioevt_on, BAD, aioevt_on(P(good.mgr), P(good.name), P(fn), O(good.data)));
	TRY(aioevt_register_after, BAD, aioevt_register_after(P(good.mgr), P(good.name), 0, P(fn),
							      O(good.data), O(good.loop), 0,
							      O(&out.evt)));
	TRY(aioevt_wait_on, BAD, aioevt_wait_on(P(good.mgr), P(good.name), 1, P(fn), O(good.data),
						O(good.loop), O(&out.evt)));
	TRY(aioevt_unregister, BAD, aioevt_unregister(P(good.mgr), P(good.name)));
	TRY(aioevt_unregister_fn, BAD, aioevt_unregister_fn(P(good.mgr), P(fn)));
	TRY(aioevt_wait, BAD, aioevt_wait(P(good.mgr), P(good.name), 1, O(&out.data)));
	TRY(aioevt_wait_after, BAD, aioevt_wait_after(P(good.mgr), P(good.name), 1000, 1,
						      O(&out.data)));
	TRY(aioevt_wait_any, BAD, aioevt_wait_any(P(good.mgr), P(names_of(P(good.name))), 1, 1,
						  O(&out.size), O(&out.data)));
	TRY(aioevt_wait_all, BAD, aioevt_wait_all(P(good.mgr), P(names_of(P(good.name))), 1, 1,
						  O(&out.data)));
	TRY(aioevt_last, BAD, aioevt_last(P(good.mgr), P(good.name), P(&out.data)));
	TRY(aioevt_n_listeners, BAD, aioevt_n_listeners(P(good.mgr), P(good.name)));
}

static void try_evts(void)
{
	TRY(aioevt_evt_unregister, BAD, aioevt_evt_unregister(P(good.evt)));
	TRY(aioevt_evt_ref, 0, aioevt_evt_ref(P(good.evt)));
	TRY(aioevt_evt_unref, 0, aioevt_evt_unref(P(good.evt)));
	TRY(aioevt_evt_name, 0, aioevt_evt_name(P(good.evt)));
	TRY(aioevt_evt_fn, 0, aioevt_evt_fn(P(good.evt)));
	TRY(aioevt_evt_userdata, 0, aioevt_evt_userdata(P(good.evt)));
	TRY(aioevt_evt_recurring, 0, aioevt_evt_recurring(P(good.evt)));
	TRY(aioevt_evt_loop, 0, aioevt_evt_loop(P(good.evt)));
	TRY(aioevt_evt_manager, 0, aioevt_evt_manager(P(good.evt)));
	TRY(aioevt_evt_status, BAD, aioevt_evt_status(P(good.evt)));
}

static void try_loops(void)
{
	TRY(aioevt_loop_new, BAD, aioevt_loop_new(P(good.mgr), P(&out.loop)));
	TRY(aioevt_loop_ref, 0, aioevt_loop_ref(P(good.loop)));
	TRY(aioevt_loop_unref, 0, aioevt_loop_unref(P(good.loop)));
	TRY(aioevt_loop_run, BAD, aioevt_loop_run(P(good.loop)));
	TRY(aioevt_loop_run_until, BAD, aioevt_loop_run_until(P(good.loop), 1));
	TRY_VOID(aioevt_loop_stop, aioevt_loop_stop(P(good.loop)));
	TRY(aioevt_loop_current, 0, aioevt_loop_current(P(good.mgr)));
	TRY_VOID(aioevt_loop_set_spin, aioevt_loop_set_spin(P(good.loop), 0, 0));
	TRY(aioevt_loop_get_fd, BAD, aioevt_loop_get_fd(P(good.loop)));
	TRY(aioevt_loop_get_events, aioevt_loop_get_events(good.loop),
	    aioevt_loop_get_events(P(good.loop)));
	TRY(aioevt_loop_get_timeout, BAD, aioevt_loop_get_timeout(P(good.loop), P(&out.u)));
	TRY(aioevt_loop_process, BAD, aioevt_loop_process(P(good.loop)));
	TRY(aioevt_loop_on_error, BAD, aioevt_loop_on_error(P(good.loop), NULL, O(&good)));
}

static void try_buses(void)
{
	TRY(aioevt_shm_config_check, BAD, aioevt_shm_config_check(P(&good.config), P(&out.text),
								  P(&out.u), P(&out.v)));
	TRY(aioevt_shm_open, BAD, aioevt_shm_open(O(good.name), O(&good.config), 0, P(&out.bus)));
	TRY(aioevt_shm_close, 0, aioevt_shm_close(P(good.bus)));
	TRY(aioevt_shm_path, BAD, aioevt_shm_path(O(good.name), P(&out.buf[0]), sizeof(out.buf)));
	TRY(aioevt_shm_guard_sigbus, 0, aioevt_shm_guard_sigbus());
	TRY(aioevt_shm_get_info, BAD, aioevt_shm_get_info(P(good.bus), P(&out.info)));
	TRY(aioevt_shm_inspect, BAD, aioevt_shm_inspect(O(good.name), 0, P(&out.inspection)));
	TRY(aioevt_shm_inspection_free, 0, aioevt_shm_inspection_free(P(out.inspection)));
	TRY(aioevt_shm_name_check, BAD, aioevt_shm_name_check(P(good.name), 4, O(&out.size),
							      O(&out.text)));
	TRY(aioevt_shm_pattern_check, BAD, aioevt_shm_pattern_check(P(good.name), 4, O(&out.size),
								    O(&out.text)));
	TRY(aioevt_shm_pattern_match, 0, aioevt_shm_pattern_match(P(good.name), P(good.name)));
	TRY(aioevt_shm_unlink_idle, 0, aioevt_shm_unlink_idle(O(good.name), 0, 0));
	TRY(aioevt_shm_unlink, 0, aioevt_shm_unlink(O(good.name)));
}

static void try_emitting(void)
{
	TRY(aioevt_shm_event_open, BAD, aioevt_shm_event_open(P(good.bus), P(good.name), 0,
							      P(&out.event)));
	TRY(aioevt_shm_event_close, 0, aioevt_shm_event_close(P(good.event)));
	TRY(aioevt_shm_emit, BAD, aioevt_shm_emit(P(good.event), P(good.text), 4, O(&out.u)));
	TRY(aioevt_shm_emit_wait, BAD, aioevt_shm_emit_wait(P(good.event), P(good.text), 4, 1,
							    O(&out.u)));
	TRY(aioevt_shm_emit_handled, BAD, aioevt_shm_emit_handled(P(good.event), P(good.text), 4,
								  0, 1, O(&out.u), O(&out.n)));
	TRY(aioevt_shm_emit_after, BAD, aioevt_shm_emit_after(P(good.bus), P(good.name),
							      P(good.text), 4, UINT64_MAX,
							      O(&out.u)));
	TRY(aioevt_shm_cancel, BAD, aioevt_shm_cancel(P(good.bus), 1));
	TRY(aioevt_shm_event_grow, BAD, aioevt_shm_event_grow(P(good.event), 8));
	TRY(aioevt_shm_event_get_info, BAD, aioevt_shm_event_get_info(P(good.event),
								      P(&out.event_info)));
	TRY(aioevt_shm_event_next, BAD, aioevt_shm_event_next(P(good.bus), P(&out.n),
							      P(&out.buf[0])));
	TRY(aioevt_shm_event_remove, BAD, aioevt_shm_event_remove(P(good.bus), P(good.name)));
}

static void try_listening(void)
{
	TRY(aioevt_shm_listener_new, BAD, aioevt_shm_listener_new(P(good.bus), P(&out.listener)));
	TRY(aioevt_shm_listener_free, 0, aioevt_shm_listener_free(P(good.listener)));
	TRY_VOID(aioevt_shm_listener_set_spin, aioevt_shm_listener_set_spin(P(good.listener), 0, 0));
	TRY_VOID(aioevt_shm_listener_wake, aioevt_shm_listener_wake(P(good.listener)));
	TRY(aioevt_shm_listener_lost_events, 0, aioevt_shm_listener_lost_events(P(good.listener)));
	TRY(aioevt_shm_listen, BAD, aioevt_shm_listen(P(good.listener), P(good.name), 0,
						      AIOEVT_SHM_FROM_NEW, 0, O(&out.sub)));
	TRY(aioevt_shm_sub_close, 0, aioevt_shm_sub_close(P(good.sub)));
	TRY(aioevt_shm_sub_name, 0, aioevt_shm_sub_name(P(good.sub)));
	TRY_VOID(aioevt_shm_sub_set_data, aioevt_shm_sub_set_data(P(good.sub), O(good.data)));
	TRY(aioevt_shm_sub_data, 0, aioevt_shm_sub_data(P(good.sub)));
	TRY(aioevt_shm_sub_handled, BAD, aioevt_shm_sub_handled(P(good.sub), 0));
	TRY(aioevt_shm_wait, BAD, aioevt_shm_wait(P(good.listener), 1, P(&good.sub)));
	TRY(aioevt_shm_read, BAD, aioevt_shm_read(P(good.sub), P(&out.record), 1, P(&out.buf[0]), 8));
}

/* ---- that none was forgotten ---------------------------------------------------------------- */

/* The pointers among the parameters of @name in @header; -1: it is not declared there. */
static int count_pointers(const char *header, const char *name)
{
	char line[512], all[2048] = "", *at, *end;
	FILE *file = fopen(header, "r");
	bool in_comment = false;
	size_t len = strlen(name);
	int n = 0;

	check(file != NULL);
	while (fgets(line, sizeof(line), file)) {
		in_comment |= strstr(line, "/*") == line;
		at = strstr(line, name);
		if (!in_comment && *all)
			strncat(all, line, sizeof(all) - strlen(all) - 1);
		else if (!in_comment && at && at[len] == '(' &&
			 (at == line || strchr(" *", at[-1])))
			strncat(all, at + len, sizeof(all) - 1);
		if (strstr(line, "*/"))
			in_comment = false;
		if (strchr(all, ')'))
			break;
	}
	fclose(file);
	end = strchr(all, ')');
	if (!end)
		return -1;
	*end = '\0';
	for (at = strtok(all, ","); at; at = strtok(NULL, ","))
		n += strchr(at, '*') || strstr(at, "aioevt_fn") || strstr(at, "aioevt_args") ||
		     strstr(at, "aioevt_kwargs") || strstr(at, "struct aioevt_value ");
	return n;
}

static bool was_called(const char *name)
{
	for (unsigned i = 0; i < n_calls; i++)
		if (!strcmp(calls[i].name, name))
			return true;
	fprintf(stderr, "%s is exported, and not called here\n", name);
	return false;
}

static void test_completeness(void)
{
	FILE *map = fopen("shm/libaioevt-shm.map", "r");
	char line[128], name[128];

	if (!map) {
		fprintf(stderr, "no shm/libaioevt-shm.map here: not compared\n");
		return;
	}
	while (fgets(line, sizeof(line), map))
		if (sscanf(line, " %100[a-z_];", name) == 1 && !strncmp(name, "aioevt_", 7))
			check(was_called(name));
	fclose(map);
	for (unsigned i = 0; i < n_calls; i++) {
		int n = count_pointers(strncmp(calls[i].name, "aioevt_shm_", 11) ?
				       "lib/aioevt.h" : "shm/aioevt-shm.h", calls[i].name);
		bool is_getter = !strncmp(calls[i].name, "aioevt_get_", 11);

		/* the data of a getter may be NULL, and was tried apart */
		if (n < 0 || calls[i].n_pointers + is_getter < (unsigned)n)
			fprintf(stderr, "%s has %d pointers, %u were tried\n", calls[i].name, n,
				calls[i].n_pointers);
		check(n >= 0 && calls[i].n_pointers + is_getter >= (unsigned)n);
	}
}

static void make_good(void)
{
	struct aioevt_shm_config config = bus_config(64, 64, 64);

	good.config = config;
	good.name = "name";
	good.text = "text";
	good.values[0] = aioevt_text("key");
	good.values[1] = aioevt_int(1);
	good.member.key = aioevt_text("key");
	check_eq(aioevt_open(NULL, NULL, AIOEVT_ANONYMOUS, &good.mgr), 0);
	check_eq(aioevt_loop_new(good.mgr, &good.loop), 0);
	check_eq(aioevt_register(good.mgr, "other", fn, NULL, good.loop, 0, &good.evt), 0);
	check_eq(aioevt_raw_open(good.mgr, "raw", &good.raw), 0);
	check_eq(aioevt_data_new(args_of(&good.values[0]), kwargs_of(&good.values[0]), &good.data), 0);
	check_eq(aioevt_shm_open(NULL, &config, AIOEVT_SHM_ANONYMOUS, &good.bus), 0);
	good.event = event_of(good.bus, "event");
	good.listener = listener_of(good.bus);
	good.sub = sub_of(good.listener, "event", 0);
}

static void free_good(void)
{
	aioevt_data_unref(good.data);
	aioevt_raw_close(good.raw);
	aioevt_evt_unref(good.evt);
	aioevt_loop_unref(good.loop);
	aioevt_close(good.mgr);
	aioevt_shm_listener_free(good.listener);
	aioevt_shm_event_close(good.event);
	aioevt_shm_close(good.bus);
}

int main(void)
{
	bus_begin();
	alarm(30);
	make_good();
	try_values();
	try_data();
	try_manager();
	try_evts();
	try_loops();
	try_buses();
	try_emitting();
	try_listening();
	free_good();
	test_completeness();
	return bus_end();
}
