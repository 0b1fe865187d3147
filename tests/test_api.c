/* SPDX-License-Identifier: MIT */
/* The shared library alone: every exported function, from a program that has only the headers. */

#include "aioevt.h"
#include "bus.h"

#include <dlfcn.h>

/* Each name once; what the map exports and is not here fails the test. */
#define SHM_FUNCTIONS(F) \
	F(aioevt_shm_cancel) F(aioevt_shm_close) F(aioevt_shm_config_check) \
	F(aioevt_shm_emit) F(aioevt_shm_emit_after) F(aioevt_shm_emit_wait) \
	F(aioevt_shm_emit_handled) F(aioevt_shm_sub_handled) \
	F(aioevt_shm_event_close) F(aioevt_shm_event_get_info) F(aioevt_shm_event_grow) \
	F(aioevt_shm_event_next) F(aioevt_shm_event_open) F(aioevt_shm_event_remove) \
	F(aioevt_shm_get_info) F(aioevt_shm_guard_sigbus) F(aioevt_shm_inspect) \
	F(aioevt_shm_inspection_free) F(aioevt_shm_listen) F(aioevt_shm_listener_free) \
	F(aioevt_shm_listener_lost_events) F(aioevt_shm_listener_new) \
	F(aioevt_shm_listener_set_spin) F(aioevt_shm_listener_wake) \
	F(aioevt_shm_name_check) F(aioevt_shm_open) F(aioevt_shm_path) \
	F(aioevt_shm_pattern_check) F(aioevt_shm_pattern_match) F(aioevt_shm_read) \
	F(aioevt_shm_sub_close) F(aioevt_shm_sub_data) F(aioevt_shm_sub_name) \
	F(aioevt_shm_sub_set_data) F(aioevt_shm_unlink) F(aioevt_shm_unlink_idle) \
	F(aioevt_shm_wait)

/* A build for another machine has the engine alone. */
#ifdef ENGINE_ALONE
#define LIB_FUNCTIONS(F)
#else
#define LIB_FUNCTIONS(F) \
	F(aioevt_bool) F(aioevt_bytes) F(aioevt_cancel) F(aioevt_close) \
	F(aioevt_data_add) F(aioevt_data_arg) F(aioevt_data_copy) F(aioevt_data_equal) \
	F(aioevt_data_event) F(aioevt_data_kwarg) F(aioevt_data_member) \
	F(aioevt_data_missed) F(aioevt_data_n_args) F(aioevt_data_n_kwargs) \
	F(aioevt_data_new) F(aioevt_data_payload) F(aioevt_data_ref) F(aioevt_data_seq) \
	F(aioevt_data_set) F(aioevt_data_time) F(aioevt_data_unref) \
	F(aioevt_data_unset) F(aioevt_double) F(aioevt_emit) F(aioevt_emit_after) \
	F(aioevt_emit_data) F(aioevt_emit_wait) F(aioevt_evt_fn) F(aioevt_evt_loop) \
	F(aioevt_evt_manager) F(aioevt_evt_name) F(aioevt_evt_recurring) \
	F(aioevt_evt_ref) F(aioevt_evt_status) F(aioevt_evt_unref) \
	F(aioevt_evt_unregister) F(aioevt_evt_userdata) F(aioevt_get_bool) \
	F(aioevt_get_bytes) F(aioevt_get_double) F(aioevt_get_int) F(aioevt_get_text) \
	F(aioevt_get_uint) F(aioevt_in_ms) F(aioevt_in_ns) F(aioevt_int) F(aioevt_last) \
	F(aioevt_list) F(aioevt_loop_current) F(aioevt_loop_get_events) \
	F(aioevt_loop_get_fd) F(aioevt_loop_get_timeout) F(aioevt_loop_new) \
	F(aioevt_loop_process) F(aioevt_loop_ref) F(aioevt_loop_run) \
	F(aioevt_loop_run_until) F(aioevt_loop_set_spin) F(aioevt_loop_stop) F(aioevt_loop_on_error) \
	F(aioevt_loop_unref) F(aioevt_map) F(aioevt_n_listeners) F(aioevt_null) \
	F(aioevt_on) F(aioevt_open) F(aioevt_raw_close) F(aioevt_raw_emit) \
	F(aioevt_raw_open) F(aioevt_register) F(aioevt_register_after) \
	F(aioevt_set_default_loop) F(aioevt_strerror) F(aioevt_text) F(aioevt_text_n) \
	F(aioevt_uint) F(aioevt_unregister) F(aioevt_unregister_fn) F(aioevt_wait) \
	F(aioevt_wait_after) F(aioevt_wait_all) F(aioevt_wait_any) F(aioevt_wait_on)
#endif

static const struct {
	const char *name;
	void *address;
} functions[] = {
#define F(f) { #f, (void *)f },
	SHM_FUNCTIONS(F)
	LIB_FUNCTIONS(F)
#undef F
};

static const size_t n_functions = sizeof(functions) / sizeof(functions[0]);

static bool is_known(const char *name)
{
	for (size_t i = 0; i < n_functions; i++)
		if (!strcmp(functions[i].name, name))
			return true;
	return false;
}

/* All of them come from the shared library, and the map names no others. */
static void test_exports(void)
{
	FILE *map = fopen("shm/libaioevt-shm.map", "r");
	char line[128], name[128];
	unsigned n = 0;
	Dl_info info;

	for (size_t i = 0; i < n_functions; i++) {
		check(dladdr(functions[i].address, &info) != 0);
		check(strstr(info.dli_fname, "libaioevt-shm.so") != NULL);
	}
	check(!dlsym(RTLD_DEFAULT, "ring_next"));
	check(!dlsym(RTLD_DEFAULT, "bus_check"));
	if (!map) {
		fprintf(stderr, "no shm/libaioevt-shm.map here: not compared\n");
		return;
	}
	while (fgets(line, sizeof(line), map))
		if (sscanf(line, " aioevt_%100[a-z_];", name) == 1) {
			char full[160];

			snprintf(full, sizeof(full), "aioevt_%s", name);
#ifdef ENGINE_ALONE
			if (strncmp(name, "shm_", 4))
				continue;
#endif
			if (!is_known(full))
				fprintf(stderr, "%s is not here\n", full);
			check(is_known(full));
			n++;
		}
	fclose(map);
	check_eq(n, n_functions);
}

static void test_nothing_given(void)
{
	check(!aioevt_shm_close(NULL));
	check(!aioevt_shm_event_close(NULL));
	check(!aioevt_shm_listener_free(NULL));
	check(!aioevt_shm_sub_close(NULL));
}

static void test_end_to_end(void)
{
	struct aioevt_shm_config config = AIOEVT_SHM_CONFIG_INIT;
	struct aioevt_shm_event_info event_info;
	struct aioevt_shm_listener *listener;
	struct aioevt_shm_inspection *seen = NULL;
	struct aioevt_shm_record record;
	struct aioevt_shm_sub *sub, *got = NULL;
	struct aioevt_shm_event *event;
	struct aioevt_shm_info info;
	struct aioevt_shm *bus;
	const char *why;
	char text[256];
	uint64_t min, max, seq = 0, id = 0;
	uint32_t walk = 0, n = 9;
	size_t offset;

	check_eq(aioevt_shm_guard_sigbus(), 0);
	check_eq(aioevt_shm_guard_sigbus(), 0);
	check_eq(aioevt_shm_config_check(&config, &why, &min, &max), 0);
	check(aioevt_shm_path(NULL, text, sizeof(text)) > 0);
	bus = bus_open(&config);
	check_eq(aioevt_shm_get_info(bus, &info), 0);
	check_eq(aioevt_shm_name_check("a b", 3, &offset, &why), -EINVAL);
	check_eq(aioevt_shm_pattern_check("a.*", 3, &offset, &why), 1);
	check_eq(aioevt_shm_pattern_match("a.*", "a.b"), 1);

	listener = listener_of(bus);
	aioevt_shm_listener_set_spin(listener, 1000, 1000);
	sub = sub_of(listener, "a.b", AIOEVT_SHM_RELIABLE);
	aioevt_shm_sub_set_data(sub, &config);
	check_str(aioevt_shm_sub_name(sub), "a.b");
	check_eq(aioevt_shm_event_open(bus, "a.b", AIOEVT_SHM_PRECISE_TIME, &event), 0);
	check_eq(aioevt_shm_emit(event, "hello", 5, &seq), 0);
	check_eq(seq, 1);
	check_eq(aioevt_shm_event_grow(event, 2048), 0);
	check_eq(aioevt_shm_emit_wait(event, "world", 5, in_ms(1000), &seq), 0);
	check_eq(seq, 2);
	for (uint64_t i = 1; i <= 2; i++) {
		check_eq(aioevt_shm_wait(listener, in_ms(1000), &got), 0);
		check(aioevt_shm_sub_data(got) == &config);
		check_eq(aioevt_shm_read(got, &record, 1, text, sizeof(text)), 1);
		check_eq(record.seq, i);
		check_mem(record.data, record.size, i == 1 ? "hello" : "world", 5);
	}
	check_eq(aioevt_shm_sub_handled(sub, 2), 0);
	check_eq(aioevt_shm_emit_handled(event, "again", 5, 1, in_ms(1), &seq, &n), -ETIMEDOUT);
	check_eq(aioevt_shm_emit_handled(event, "again", 5, 2, in_ms(1000), &seq, &n), -ENOLINK);
	check_eq(seq, 4);
	check_eq(n, 0);
	while (!aioevt_shm_wait(listener, 0, &got))
		check_eq(aioevt_shm_read(got, &record, 1, text, sizeof(text)), 1);
	check_eq(aioevt_shm_event_get_info(event, &event_info), 0);
	check_eq(event_info.depth, 2048);
	check_eq(event_info.n_records, 4);
	check_eq(event_info.n_reliable, 1);
	check_eq(aioevt_shm_emit_after(bus, "a.b", "later", 5, in_ms(60000), &id), 0);
	check_eq(aioevt_shm_cancel(bus, id), 0);
	check_eq(aioevt_shm_event_next(bus, &walk, text), 1);
	check_str(text, "a.b");
	check_eq(aioevt_shm_listener_lost_events(listener), 0);
	aioevt_shm_listener_wake(listener);
	check_eq(aioevt_shm_wait(listener, in_ms(1000), &got), -EINTR);
	check_eq(aioevt_shm_wait(listener, 0, &got), -ETIMEDOUT);
	aioevt_shm_sub_close(sub);
	aioevt_shm_listener_free(listener);
	aioevt_shm_event_close(event);
	check_eq(aioevt_shm_event_remove(bus, "a.b"), 0);
	check_eq(aioevt_shm_inspect(NULL, 0, &seen), 0);
	check_eq(seen->n_problems, 0);
	check(!aioevt_shm_inspection_free(seen));
	check_eq(aioevt_shm_unlink_idle(NULL, 0, 0), -EBUSY);
	aioevt_shm_close(bus);
	check_eq(aioevt_shm_unlink_idle(NULL, 0, AIOEVT_SHM_DRY_RUN), 0);
	check_eq(aioevt_shm_unlink(NULL), 0);
}

int main(void)
{
	bus_begin();
	alarm(30);
	test_exports();
	test_nothing_given();
	test_end_to_end();
	return bus_end();
}
