/* SPDX-License-Identifier: Apache-2.0 */
#include "spi/cost.h"

#include <stdlib.h>

#define CLASS_MIN 5u      /* samples before a class says anything */
#define AGE       64.0    /* samples elsewhere that halve a class's weight */
#define PRIOR     0.05    /* weight of the row's shape, against up to COST_WINDOW of a class */
#define PRIOR_AT  16384.0 /* bytes; its other point is 0 */
#define RATIO_MIN (1.0 / 4096)
#define RATIO_MAX 1048576.0

/* One range of sizes. */
struct cost_class {
	float ratio[COST_WINDOW]; /* measured by predicted */
	uint32_t n, next;
	double bytes;    /* decaying mean of the sizes */
	uint64_t latest; /* number of the last sample */
};

struct cost_memory {
	struct cost_class classes[COST_CLASSES];
	uint64_t samples;
};

void cost_init(struct cost *c, uint32_t setup_ns, uint32_t ns_per_kib)
{
	struct cost_line row = {setup_ns ? setup_ns : COST_SETUP_NS,
				ns_per_kib ? ns_per_kib : COST_NS_PER_KIB};

	*c = (struct cost){.line = row, .base = row, .row = row};
}

void cost_deinit(struct cost *c)
{
	free(c->memory);
	c->memory = NULL;
}

/* Up to 255 bytes, 1023, 4095, 16383, 65535, more. */
static unsigned class_of(uint64_t bytes)
{
	unsigned i = 0;

	for (bytes /= 256; bytes && i < COST_CLASSES - 1; bytes /= 4)
		i++;
	return i;
}

static double predicted(const struct cost *c, double bytes)
{
	return c->row.setup_ns + bytes * c->row.ns_per_kib / 1024;
}

static double median(const struct cost_class *k)
{
	float sorted[COST_WINDOW];

	for (unsigned i = 0; i < k->n; i++) {
		unsigned at = i;

		for (; at && sorted[at - 1] > k->ratio[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = k->ratio[i];
	}
	return k->n % 2 ? sorted[k->n / 2] : (sorted[k->n / 2 - 1] + sorted[k->n / 2]) / 2;
}

/* Sums of the weighted least squares of relative errors: y is to be a + b * x. */
struct sums {
	double u, v, uu, uv, vv;
};

static void add_point(struct sums *s, double weight, double x, double y)
{
	double u = 1 / y, v = x / y;

	s->u += weight * u;
	s->v += weight * v;
	s->uu += weight * u * u;
	s->uv += weight * u * v;
	s->vv += weight * v * v;
}

static uint32_t clamp(double ns)
{
	/* what is no number is neither less nor more */
	return !(ns >= 1) ? 1 : !(ns < COST_MAX_NS) ? COST_MAX_NS : (uint32_t)(ns + 0.5);
}

/* The prior has two points at different sizes, so there always is one answer. */
static struct cost_line solve(const struct sums *s)
{
	double det = s->uu * s->vv - s->uv * s->uv;
	double a = (s->u * s->vv - s->v * s->uv) / det;
	double b = (s->v * s->uu - s->u * s->uv) / det;

	if (a < 0) {
		a = 0;
		b = s->v / s->vv;
	} else if (b < 0) {
		a = s->u / s->uu;
		b = 0;
	}
	return (struct cost_line){clamp(a), clamp(b * 1024)};
}

static bool fit(struct cost *c)
{
	const struct cost_memory *m = c->memory;
	double weights = 0, ratios = 0;
	struct sums s = {0};

	for (unsigned i = 0; i < COST_CLASSES; i++) {
		const struct cost_class *k = &m->classes[i];
		double weight, ratio;

		if (k->n < CLASS_MIN)
			continue;
		weight = k->n / (1 + (double)(m->samples - k->latest) / AGE);
		ratio = median(k);
		add_point(&s, weight, k->bytes, predicted(c, k->bytes) * ratio);
		weights += weight;
		ratios += weight * ratio;
	}
	if (weights <= 0)
		return false;
	ratios /= weights;
	add_point(&s, PRIOR, 0, predicted(c, 0) * ratios);
	add_point(&s, PRIOR, PRIOR_AT, predicted(c, PRIOR_AT) * ratios);
	c->line = solve(&s);
	c->fits++;
	return true;
}

/* Further from the row than this is nonsense. */
static float within(double ratio)
{
	return (float)(ratio < RATIO_MIN ? RATIO_MIN : ratio > RATIO_MAX ? RATIO_MAX : ratio);
}

bool cost_sample(struct cost *c, uint64_t bytes, uint64_t ns)
{
	struct cost_memory *m = c->memory;
	struct cost_class *k;
	double size;

	if (!m)
		c->memory = m = calloc(1, sizeof(*m));
	if (!m)
		return false;
	size = (double)(bytes < COST_MAX_BYTES ? bytes : COST_MAX_BYTES);
	k = &m->classes[class_of(bytes)];
	k->ratio[k->next] = within((double)ns / predicted(c, size));
	k->next = (k->next + 1) % COST_WINDOW;
	k->bytes += k->n ? (size - k->bytes) / (k->n + 1) : size;
	k->n += k->n < COST_WINDOW;
	k->latest = ++m->samples;
	return m->samples % COST_REFIT == 0 && fit(c);
}

void cost_set_base(struct cost *c, struct cost_line base)
{
	c->base = base;
	c->measured = true;
	if (!c->fits)
		c->line = base;
}

uint64_t cost_samples(const struct cost *c)
{
	return c->memory ? c->memory->samples : 0;
}

uint32_t cost_crossing(const struct cost_line *a, const struct cost_line *b, uint64_t max)
{
	uint64_t more, less, at;

	if (cost_expect(b, max) > cost_expect(a, max))
		return UINT32_MAX;
	if (b->setup_ns <= a->setup_ns)
		return 0;
	/* at max it is no longer, so it takes less per byte */
	more = b->setup_ns - a->setup_ns;
	less = a->ns_per_kib - b->ns_per_kib;
	at = (more * 1024 + less - 1) / less;
	return at < max ? (uint32_t)at : (uint32_t)max;
}
