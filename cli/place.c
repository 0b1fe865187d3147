/* SPDX-License-Identifier: MIT */
/*
 * The numbers of an event go on as long as its bus is there, even if the event is removed.
 * A bus that was removed and made anew starts over, and that is found out when listening begins:
 * the event's last number is lower than the one in the cursor, or the record of that number
 * was stamped with another time. If neither can be told, because the new bus has come further
 * and holds that number no longer, the gap is reported as missed.
 */
#include "place.h"

#include <errno.h>
#include <string.h>

static bool is_pattern(const char *name)
{
	return strpbrk(name, "*>");
}

/* Under a pattern that was followed before: what is not in the cursor came later. */
static bool is_covered(const struct cursor *cursor, const char *name)
{
	for (size_t i = 0; i < cursor->n_places; i++) {
		const struct place *place = cursor->places[i];

		if (place->is_old && is_pattern(place->name) &&
		    aioevt_shm_pattern_match(place->name, name))
			return true;
	}
	return false;
}

/* ---- numbers that started over -------------------------------------------------- */

/* Is the record of that number another one? Returns 1, 0, or an error. */
static int is_another(struct ear *ear, const struct place *place)
{
	struct aioevt_shm_record record = { .seq = 0 };
	struct aioevt_shm_listener *listener;
	struct heard heard = { .room = 0 };
	struct aioevt_shm_sub *sub;
	int n = aioevt_shm_listener_new(ear->bus, &listener);

	if (n < 0)
		return n;
	n = aioevt_shm_listen(listener, place->name, AIOEVT_SHM_OBSERVE, AIOEVT_SHM_FROM_SEQ, place->seq, &sub);
	if (n == 0)
		n = heard_read(&heard, sub, &record);
	aioevt_shm_listener_free(listener);
	heard_deinit(&heard);
	return n < 0 ? n : n > 0 && record.seq == place->seq && record.time != place->time;
}

/* ---- places --------------------------------------------------------------------- */

static void start_from_base(struct place *place, const struct aioevt_shm_event_info *info)
{
	place->kind = PLACE_FROM_BASE;
	place->seq = place->time = 0;
	place->heard = info->last_seq > info->n_records ? info->last_seq - info->n_records : 0;
}

/* An event that has records, and a place from before. */
static int resume(struct ear *ear, struct place *place, const struct aioevt_shm_event_info *info)
{
	int differs = info->last_seq < place->seq;

	if (!differs && place->seq && place->time)
		differs = is_another(ear, place);
	if (differs < 0)
		return differs;
	if (differs || !place->seq)
		start_from_base(place, info);
	else
		place->kind = PLACE_GOES_ON;
	return 0;
}

static int look(struct ear *ear, const char *name, struct aioevt_shm_event_info *ret_info)
{
	struct aioevt_shm_event *event;
	int err = aioevt_shm_event_open(ear->bus, name, AIOEVT_SHM_EXISTING, &event);

	*ret_info = (struct aioevt_shm_event_info){ .last_seq = 0 };
	if (err == 0) {
		err = aioevt_shm_event_get_info(event, ret_info);
		aioevt_shm_event_close(event);
	}
	return err == -ENOENT ? 0 : err;
}

static int prepare_event(struct ear *ear, const char *name, bool all_is_new)
{
	struct place *place = cursor_find(ear->cursor, name);
	bool is_known = place && place->is_old;
	struct aioevt_shm_event_info info;
	int err = look(ear, name, &info);

	if (err < 0)
		return err;
	place = cursor_add(ear->cursor, name);
	ear->cursor->is_changed = true;
	place->is_first = true;
	place->heard = place->seq;
	if (!info.last_seq) {
		place->kind = PLACE_EMPTY;
	} else if (is_known) {
		return resume(ear, place, &info);
	} else if (all_is_new) {
		start_from_base(place, &info);
	} else {
		place->kind = PLACE_GOES_ON;
		place->seq = place->heard = info.last_seq - (ear->from_last && info.n_records);
	}
	return 0;
}

static int prepare_all(struct ear *ear, const char *pattern, bool is_late)
{
	char name[AIOEVT_SHM_NAME_MAX + 1];
	uint32_t walk = 0;
	int err = 0, n;

	while (err == 0 && (n = aioevt_shm_event_next(ear->bus, &walk, name)) != 0) {
		if (n < 0)
			return n;
		if (!aioevt_shm_pattern_match(pattern, name))
			continue;
		if (!is_late)
			err = prepare_event(ear, name, is_covered(ear->cursor, name));
		else if (!cursor_find(ear->cursor, name))
			err = prepare_event(ear, name, true);
	}
	return err;
}

int place_prepare(struct ear *ear, size_t i)
{
	const char *name = ear->names[i];
	int err;

	if (!is_pattern(name))
		return prepare_event(ear, name, is_covered(ear->cursor, name));
	err = prepare_all(ear, name, false);
	if (err == 0)
		cursor_add(ear->cursor, name);
	return err;
}

int place_prepare_late(struct ear *ear, size_t i)
{
	return is_pattern(ear->names[i]) ? prepare_all(ear, ear->names[i], true) : 0;
}

enum aioevt_shm_from place_start(struct ear *ear, const char *name, uint64_t *ret_value)
{
	const struct place *place = is_pattern(name) ? NULL : cursor_find(ear->cursor, name);

	if (place && place->kind == PLACE_EMPTY) {
		/* its first record, whatever the number */
		*ret_value = UINT64_MAX;
		return AIOEVT_SHM_FROM_LAST;
	}
	*ret_value = place && place->kind == PLACE_GOES_ON ? place->heard + 1 : 1;
	return AIOEVT_SHM_FROM_SEQ;
}

/* ---- records -------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The first record read of an event, and those that are known: which of them is new? */
static bool takes_first(struct place *place, uint64_t seq, uint64_t *missed)
{
	if (place->kind == PLACE_EMPTY) {
		if (place->heard && seq > place->heard)
			*missed = seq - place->heard - 1;	/* removed with these unread */
	} else if (place->kind == PLACE_GOES_ON && seq <= place->heard) {
		return false;
	} else {
		*missed = seq > place->heard ? least(*missed, seq - place->heard - 1) : 0;
	}
	place->is_first = false;
	place->kind = PLACE_GOES_ON;
	return true;
}

bool place_takes(struct ear *ear, const char *event, uint64_t seq, uint64_t *missed)
{
	struct place *place = cursor_find(ear->cursor, event);

	if (!place)
		return true;		/* it came into being while we listen */
	if (place->is_first && !takes_first(place, seq, missed))
		return false;
	place->heard = seq;
	return true;
}
