/* SPDX-License-Identifier: MIT */
/* The topics of a loop, by name. The table is changed with ear_lock and loop->lock. */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "loop.h"

#define FIRST_BUCKETS	16u

static struct topic **bucket_of(struct aioevt_loop *loop, const char *name)
{
	return &loop->topics[hash_name(name) & (loop->n_buckets - 1)];
}

struct topic *topic_find(struct aioevt_loop *loop, const char *name)
{
	struct topic *topic;

	if (!loop->n_buckets)
		return NULL;
	topic = *bucket_of(loop, name);
	while (topic && strcmp(topic->name, name))
		topic = topic->next;
	return topic;
}

/* Twice as many chains. A table that cannot grow is slower, no more. */
static bool grow(struct aioevt_loop *loop)
{
	unsigned n_old = loop->n_buckets;
	struct topic **old = loop->topics, **topics, *topic;

	topics = calloc(n_old ? n_old * 2 : FIRST_BUCKETS, sizeof(*topics));
	if (!topics)
		return n_old;
	loop->topics = topics;
	loop->n_buckets = n_old ? n_old * 2 : FIRST_BUCKETS;
	for (unsigned b = 0; b < n_old; b++)
		while ((topic = old[b])) {
			struct topic **at = bucket_of(loop, topic->name);

			old[b] = topic->next;
			topic->next = *at;
			*at = topic;
		}
	free(old);
	return true;
}

struct topic *topic_new(struct aioevt_loop *loop, const char *name, bool is_pattern)
{
	struct topic *topic, **at;

	if (loop->n_topics >= loop->n_buckets && !grow(loop))
		return NULL;
	topic = calloc(1, sizeof(*topic));
	if (!topic)
		return NULL;
	topic->loop = loop;
	topic->is_pattern = is_pattern;
	TAILQ_INIT(&topic->evts);
	strcpy(topic->name, name);
	at = bucket_of(loop, name);
	topic->next = *at;
	*at = topic;
	loop->n_topics++;
	loop->n_patterns += is_pattern;
	return topic;
}

void topic_changed(struct topic *topic)
{
	if (topic->is_changed)
		return;
	topic->is_changed = true;
	TAILQ_INSERT_TAIL(&topic->loop->changed, topic, changed);
}

static void destroy(struct topic *topic)
{
	aioevt_shm_event_close(topic->event);
	free(topic->fences);
	free(topic);
}

void topic_free_if_unused(struct topic *topic)
{
	struct aioevt_loop *loop = topic->loop;
	struct topic **at;

	if (topic->sub || topic->is_heard || topic->n_pins || !TAILQ_EMPTY(&topic->evts))
		return;
	at = bucket_of(loop, topic->name);
	while (*at != topic)
		at = &(*at)->next;
	*at = topic->next;
	if (topic->is_changed)
		TAILQ_REMOVE(&loop->changed, topic, changed);
	loop->n_topics--;
	loop->n_patterns -= topic->is_pattern;
	destroy(topic);
}

void topics_free(struct aioevt_loop *loop)
{
	struct topic *topic;

	for (unsigned b = 0; b < loop->n_buckets; b++)
		while ((topic = loop->topics[b])) {
			loop->topics[b] = topic->next;
			destroy(topic);
		}
	free(loop->topics);
}
