/* SPDX-License-Identifier: MIT */
/* aioevt doctor: the answers of aioevt_shm_inspect(), for people. doctor-json.c for programs. */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "duration.h"
#include "safe.h"

static const char doc[] =
	"Look at the bus without touching it, and say whether it is healthy."
	"\v"
	"Status: 0 healthy, 1 trouble, 2 no bus, 8 not healthy, 6 7 64 as for all. See "
	"aioevt-doctor(1).";

enum { KEY_JSON = 0x100 };

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "One JSON object", 1 },
	{ 0 }
};

struct doctor {
	struct bus_options bus;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *doctor = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		doctor->bus.program = "aioevt doctor";
		state->child_inputs[0] = &doctor->bus;
		return 0;
	case ARGP_KEY_ARG:
		complain_usage("\"%s\": doctor takes no argument; --bus names the bus", arg);
	case KEY_JSON:
		doctor->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = doc,
	.children = bus_children,
};

/* ---- text --------------------------------------------------------------------------- */

struct text {
	char text[64];
};

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* How long ago; "-" if nobody knows. */
static struct text age(uint64_t time)
{
	struct text text = { "-" };
	uint64_t ns = now();

	if (time)
		duration_print(ns > time ? ns - time : 0, text.text, sizeof(text.text));
	return text;
}

static struct text bytes(uint64_t n)
{
	struct text text;

	if (n < 10240)
		snprintf(text.text, sizeof(text.text), "%" PRIu64, n);
	else if (n < UINT64_C(10240) << 10)
		snprintf(text.text, sizeof(text.text), "%" PRIu64 "K", n >> 10);
	else
		snprintf(text.text, sizeof(text.text), "%" PRIu64 "M", n >> 20);
	return text;
}

static void print_summary(const struct aioevt_shm_inspection *seen)
{
	fputs("bus     ", stdout);
	safe_print(stdout, seen->path, strlen(seen->path));
	printf(", version %" PRIu32 ", made %s ago, used %s ago\n", seen->version, age(seen->created).text, age(seen->used).text);
	printf("limits  %" PRIu32 " events, %" PRIu32 " listeners, %" PRIu32 " records a ring, %"
	       PRIu32 " bytes inline, %" PRIu32 " at most\n", seen->n_events_max,
	       seen->n_listeners_max, seen->depth, seen->inline_size, seen->max_payload);
	printf("memory  %s: tables %s, rings %s of %s, bodies %s of %s\n",
	       bytes(seen->memory).text, bytes(seen->memory_tables).text,
	       bytes(seen->memory_rings).text, bytes(seen->ring_budget).text,
	       bytes(seen->memory_bodies).text, bytes(seen->large_budget).text);
	printf("in use  %zu events, %" PRIu32 " listeners, %zu ports, %" PRIu32 " of them alive\n",
	       seen->n_events, seen->n_listeners, seen->n_ports, seen->n_alive);
}

static void print_ports(const struct aioevt_shm_inspection *seen)
{
	size_t i;

	if (seen->n_ports)
		printf("\n%5s  %8s  %-5s  %7s  %6s  %9s\n", "PORT", "PID", "STATE", "SINCE",
		       "EVENTS", "LISTENERS");
	for (i = 0; i < seen->n_ports; i++) {
		const struct aioevt_shm_port_look *port = &seen->ports[i];

		printf("%5" PRIu32 "  %8d  %-5s  %7s  %6" PRIu32 "  %9" PRIu32 "\n",
		       port->port, (int)port->pid, doctor_port_state(port),
		       age(port->since).text, port->n_events, port->n_listeners);
	}
}

static int find_width(const struct aioevt_shm_inspection *seen)
{
	size_t width = strlen("EVENT"), n, i;

	for (i = 0; i < seen->n_events; i++) {
		n = safe_width(seen->events[i].name);
		if (n > width)
			width = n;
	}
	return (int)width;
}

static void print_events(const struct aioevt_shm_inspection *seen)
{
	int width = find_width(seen);
	size_t i;

	if (seen->n_events)
		printf("\n%-*s  %-8s  %10s  %7s  %9s  %8s  %6s  %6s\n", width, "EVENT", "PHASE",
		       "RECORDS", "LAST", "LISTENERS", "RELIABLE", "MEMORY", "TIMERS");
	for (i = 0; i < seen->n_events; i++) {
		const struct aioevt_shm_event_look *event = &seen->events[i];
		const char *name = *event->name ? event->name : "?";

		safe_print_column(stdout, name, (size_t)width);
		printf("  %-8s  %10" PRIu64 "  %7s  %9" PRIu32 "  %8" PRIu32 "  %6s"
		       "  %6" PRIu32 "\n", event->phase, event->n_records,
		       age(event->last_time).text, event->n_listeners, event->n_reliable,
		       bytes(event->memory).text, event->n_timers);
	}
}

static void print_findings(const char *what, const struct aioevt_shm_finding *findings,
			   size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		printf("%-8s%s: ", what, findings[i].code);
		safe_print(stdout, findings[i].text, strlen(findings[i].text));
		putchar('\n');
	}
}

static void print_verdict(const struct aioevt_shm_inspection *seen)
{
	if (seen->n_problems || seen->n_notes)
		putchar('\n');
	print_findings("note", seen->notes, seen->n_notes);
	print_findings("problem", seen->problems, seen->n_problems);
	if (seen->n_unlisted)
		printf("%-8s%zu more\n", "", seen->n_unlisted);
	if (seen->n_problems)
		printf("\n%zu problem%s\n", seen->n_problems, seen->n_problems == 1 ? "" : "s");
	else
		printf("\nhealthy\n");
}

static void print_text(const struct aioevt_shm_inspection *seen)
{
	print_summary(seen);
	print_ports(seen);
	print_events(seen);
	print_verdict(seen);
}

/* ---- command ------------------------------------------------------------------------ */

const char *doctor_port_state(const struct aioevt_shm_port_look *port)
{
	return port->state == AIOEVT_SHM_PORT_ALIVE ? "alive" : "dead";
}

static int examine(const struct doctor *doctor, const struct aioevt_shm_inspection *seen)
{
	int status;

	if (!seen->is_known) {
		return bus_version_trouble(&doctor->bus, seen);
	}
	if (doctor->json)
		check_memory(doctor_print_json(seen));
	else
		print_text(seen);
	status = finish_output();
	return status ? status : seen->n_problems ? STATUS_UNHEALTHY : STATUS_DONE;
}

int doctor_main(int argc, char **argv, const struct bus_options *bus)
{
	struct doctor doctor = { .bus = *bus };
	struct aioevt_shm_inspection *seen;
	int status, err;

	argp_parse(&argp, argc, argv, PARSE_FLAGS, NULL, &doctor);
	signal(SIGPIPE, SIG_IGN);	/* a write error says more */

	err = aioevt_shm_inspect(doctor.bus.bus, doctor.bus.has_group ? AIOEVT_SHM_GROUP : 0,
				 &seen);
	if (err < 0) {
		status = bus_open_trouble(&doctor.bus, err);
		return err == -ENOENT ? STATUS_NONE : err == -EPROTO ? STATUS_UNHEALTHY : status;
	}
	status = examine(&doctor, seen);
	aioevt_shm_inspection_free(seen);
	return status;
}
