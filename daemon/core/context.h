/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context - state of a multi-part operation, bound to one provider for its life.
 *
 *   NEW -> OPEN (init ended well) -> ENDED (final, error, cancel, close, provider gone)
 *   NEW -> ENDED
 *
 * Requests of a context stand in a list; only the first is under way, so no worker ever waits for
 * its turn. What must show nothing before its end is checked (AEAD decryption, dual operations) is
 * buffered here and done by the final as one piece. Steps of one request run on a context of their
 * own, which the api layer never sees. Loop thread.
 */
#pragma once

#include "core/sched.h"

enum context_state { CONTEXT_NEW = 0, CONTEXT_OPEN, CONTEXT_ENDED };

struct context {
	struct list link; /* of the provider's contexts */
	struct core *core;
	struct consumer *consumer; /* charged; NULL: hidden */
	enum context_state state;
	uint16_t op;
	bool closed; /* by the api layer: freed when nothing uses it */
	bool buffered;
	bool begun;                 /* an init was submitted */
	bool passing;               /* inside pass_turn */
	enum kcf_status end_status; /* what requests on an ended one get */
	struct tmpl *tmpl, *tmpl2;  /* references */
	struct list waiting;        /* requests behind the first */
	struct request *first;      /* under way, or NULL */
	struct request *flying;     /* whose job may be using pctx, even when it is done */
	struct request *init;       /* buffered: holds the parameters */
	struct provider *provider;
	const struct offer *offer;
	struct prepared *prepared;
	void *pctx;
	uint8_t *buf;
	size_t buf_len, buf_room;
};

/* The context a request works on: its own, or that of its steps; NULL. */
static inline struct context *context_of(const struct request *r)
{
	return r->context ? r->context : r->sched->hidden;
}

/* For steps. NULL: out of memory. */
struct context *context_new_hidden(struct core *core, const struct request *r);
/* From the scheduler: r joins, and goes on at once if it is the first. */
void context_submit(struct request *r);
/* Present part of r (a request of a context, or a step): set the stage and send it on. */
void context_go_on(struct request *r);
/* Is this provider possible for what comes next? */
bool context_may_use(const struct context *c, const struct provider *p);
/* A job of r ended. */
void context_job_ended(struct request *r, enum kcf_status status);
/* r's job came back after r was done: if it began a context at its provider, nobody will use that. */
void context_drop_late(const struct request *r);
/* And then, when the job holds nothing any more. */
void context_job_back(struct context *c);
/* r is done: the next one's turn. */
void context_request_done(struct request *r, enum kcf_status status);
/* A hidden one: its request is done. */
void context_release(struct context *c);
/* Steps begin anew with another provider. */
void context_restart(struct context *c);
/* The provider is gone or lost its state. */
void context_lost(struct context *c);
