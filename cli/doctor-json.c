/* SPDX-License-Identifier: MIT */
/* aioevt doctor --json */
#include "doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

static int print_string(const char *key, const char *text)
{
	printf("\"%s\":", key);
	return json_write_text(stdout, text, strlen(text));
}

static void print_number(const char *key, uint64_t number)
{
	printf(",\"%s\":%" PRIu64, key, number);
}

/* A time of 0 is not known. */
static void print_time(const char *key, uint64_t time)
{
	if (time)
		print_number(key, time);
	else
		printf(",\"%s\":null", key);
}

/* Opens a list, or goes on with it. */
static void print_comma(size_t i)
{
	if (i)
		putchar(',');
}

static void print_ports(const struct aioevt_shm_inspection *seen)
{
	size_t i;

	fputs(",\"ports\":[", stdout);
	for (i = 0; i < seen->n_ports; i++) {
		const struct aioevt_shm_port_look *port = &seen->ports[i];

		print_comma(i);
		printf("{\"port\":%" PRIu32 ",\"pid\":%d,\"state\":\"%s\"", port->port,
		       (int)port->pid, doctor_port_state(port));
		print_time("since", port->since);
		print_number("events", port->n_events);
		print_number("listeners", port->n_listeners);
		putchar('}');
	}
	putchar(']');
}

static int print_events(const struct aioevt_shm_inspection *seen)
{
	size_t i;
	int err = 0;

	fputs(",\"events\":[", stdout);
	for (i = 0; i < seen->n_events && !err; i++) {
		const struct aioevt_shm_event_look *event = &seen->events[i];

		print_comma(i);
		putchar('{');
		err = print_string("event", event->name);
		printf(",\"phase\":\"%s\"", event->phase);
		print_number("records", event->n_records);
		print_time("time", event->last_time);
		print_number("listeners", event->n_listeners);
		print_number("reliable", event->n_reliable);
		print_number("depth", event->depth);
		print_number("rings", event->n_rings);
		print_number("memory", event->memory);
		print_number("timers", event->n_timers);
		putchar('}');
	}
	putchar(']');
	return err;
}

static int print_readers(const struct aioevt_shm_inspection *seen)
{
	size_t i;
	int err = 0;

	fputs(",\"reliable\":[", stdout);
	for (i = 0; i < seen->n_readers && !err; i++) {
		const struct aioevt_shm_reader_look *reader = &seen->readers[i];

		print_comma(i);
		putchar('{');
		err = print_string("event", seen->events[reader->event].name);
		printf(",\"pid\":%d,\"port\":%" PRIu32 ",\"listener\":%" PRIu32 ",\"alive\":%s",
		       (int)reader->pid, reader->port, reader->listener,
		       reader->alive ? "true" : "false");
		print_number("lag", reader->lag);
		putchar('}');
	}
	putchar(']');
	return err;
}

static int print_slots(const struct aioevt_shm_inspection *seen)
{
	size_t i;
	int err = 0;

	fputs(",\"held\":[", stdout);
	for (i = 0; i < seen->n_slots && !err; i++) {
		const struct aioevt_shm_slot_look *slot = &seen->slots[i];

		print_comma(i);
		putchar('{');
		err = print_string("event", seen->events[slot->event].name);
		printf(",\"phase\":\"%s\"", slot->phase);
		print_number("seq", slot->seq);
		printf(",\"pid\":%d,\"port\":%" PRIu32 ",\"alive\":%s}", (int)slot->pid,
		       slot->port, slot->alive ? "true" : "false");
	}
	putchar(']');
	return err;
}

static int print_findings(const char *key, const struct aioevt_shm_finding *findings, size_t n)
{
	size_t i;
	int err = 0;

	printf(",\"%s\":[", key);
	for (i = 0; i < n && !err; i++) {
		print_comma(i);
		putchar('{');
		err = print_string("code", findings[i].code);
		putchar(',');
		if (!err)
			err = print_string("text", findings[i].text);
		putchar('}');
	}
	putchar(']');
	return err;
}

static void print_sizes(const struct aioevt_shm_inspection *seen)
{
	printf(",\"limits\":{\"events\":%" PRIu32, seen->n_events_max);
	print_number("listeners", seen->n_listeners_max);
	print_number("depth", seen->depth);
	print_number("inline", seen->inline_size);
	print_number("payload", seen->max_payload);
	print_number("rings", seen->ring_budget);
	print_number("bodies", seen->large_budget);
	printf("},\"memory\":{\"all\":%" PRIu64, seen->memory);
	print_number("tables", seen->memory_tables);
	print_number("rings", seen->memory_rings);
	print_number("bodies", seen->memory_bodies);
	printf("},\"listeners\":%" PRIu32 ",\"alive\":%" PRIu32, seen->n_listeners,
	       seen->n_alive);
}

int doctor_print_json(const struct aioevt_shm_inspection *seen)
{
	int err;

	printf("{\"healthy\":%s,", seen->n_problems ? "false" : "true");
	err = print_string("file", seen->path);
	print_number("version", seen->version);
	printf(",\"removed\":%s", seen->is_removed ? "true" : "false");
	print_time("created", seen->created);
	print_time("used", seen->used);
	print_sizes(seen);
	print_ports(seen);
	if (!err)
		err = print_events(seen);
	if (!err)
		err = print_readers(seen);
	if (!err)
		err = print_slots(seen);
	if (!err)
		err = print_findings("problems", seen->problems, seen->n_problems);
	if (!err)
		err = print_findings("notes", seen->notes, seen->n_notes);
	print_number("unlisted", seen->n_unlisted);
	fputs("}\n", stdout);
	return err;
}
