/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-plot - rows as panels, two beside each other: throughput by size, rates by depth and by
 * number of clients, latency by load. A door has its colour everywhere. One thread.
 */
#include <math.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#include "kcf-config.h"
#include "speed-plot.h"
#include "speed-svg.h"

#define PANEL_WIDTH  440.0
#define PANEL_HEIGHT 250.0
#define LEFT         76.0
#define RIGHT        24.0
#define ABOVE        44.0
#define BELOW        52.0
#define HEAD         84.0
#define COLUMNS      2u
#define MAX_POINTS   64u

/* Distinguishable by everybody, after Okabe and Ito; references are black and grey. */
static const struct {
	const char *door;
	struct svg_style style;
} styles[] = {
	{"direct", {"#000000", NULL, true}}, {"limit", {"#888888", "6 4", true}},
	{"caller", {"#0072b2", NULL, true}}, {"batch", {"#56b4e9", NULL, true}},
	{"inline", {"#e69f00", NULL, true}}, {"arena", {"#d55e00", NULL, true}},
	{"handle", {"#009e73", NULL, true}}, {"clients", {"#cc79a7", NULL, true}},
};

#define N_STYLES (sizeof(styles) / sizeof(styles[0]))

/* Of latencies, where colour says the door. */
static const struct {
	const char *name, *dash;
} quantiles[] = {{"p50", NULL}, {"p99", "7 4"}, {"p99.9", "2 3"}};

static const struct {
	const char *title, *h_label, *v_label;
	bool h_log, h_binary;
} shapes[SPEED_SWEEPS] = {
	[SPEED_SIZES] = {"throughput by size", "bytes an operation", "GB/s", true, true},
	[SPEED_DEPTHS] = {"rate by depth, 1 KiB", "operations in flight", "operations/s", true,
			  true},
	[SPEED_CLIENTS] = {"rate by client processes, 1 KiB, depth 4", "processes", "operations/s",
			   true, true},
	[SPEED_LOADS] = {"latency by load, 1 KiB", "operations offered a second", "microseconds",
			 false, false},
};

/* ---- values ---- */

static double value_h(const struct speed_row *r)
{
	switch (r->sweep) {
	case SPEED_SIZES:
		return (double)r->size;
	case SPEED_DEPTHS:
		return r->depth;
	case SPEED_CLIENTS:
		return r->clients;
	default:
		return r->offered;
	}
}

/* The q-th value of this row; only latencies have three. */
static double value_v(const struct speed_row *r, unsigned q)
{
	if (r->sweep == SPEED_LOADS)
		return q == 0 ? r->p50 : q == 1 ? r->p99 : r->p999;
	return r->sweep == SPEED_SIZES ? speed_row_gb(r) : r->rate;
}

static unsigned n_values(enum speed_sweep sweep)
{
	return sweep == SPEED_LOADS ? 3 : 1;
}

static bool is_of(const struct speed_row *r, enum speed_sweep sweep, enum speed_work_kind work)
{
	return r->sweep == sweep && r->work == work;
}

static bool has_panel(const struct speed_rows *rows, enum speed_sweep sweep,
		      enum speed_work_kind work)
{
	/* One size is no curve. */
	if (speed_is_sign(work))
		return false;
	for (size_t i = 0; i < rows->n; i++) {
		if (is_of(&rows->rows[i], sweep, work))
			return true;
	}
	return false;
}

/* ---- a panel ---- */

static void widen(struct svg_axis *a, double v)
{
	if (v < a->low)
		a->low = v;
	if (v > a->high)
		a->high = v;
}

/* Down and up to 1, 2 or 5 times a power of 10. */
static void round_out(struct svg_axis *a)
{
	double low = pow(10, floor(log10(a->low) + 1e-9));
	double high = pow(10, floor(log10(a->high) + 1e-9));

	a->low = a->low >= 5 * low ? 5 * low : a->low >= 2 * low ? 2 * low : low;
	a->high = a->high <= high * (1 + 1e-6) ? high
		  : a->high <= 2 * high        ? 2 * high
		  : a->high <= 5 * high        ? 5 * high
					       : 10 * high;
	if (a->high <= a->low)
		a->high = 2 * a->low;
}

static void fit(struct svg_panel *p, const struct speed_rows *rows, enum speed_sweep sweep,
		enum speed_work_kind work)
{
	p->h.low = p->v.low = INFINITY;
	p->h.high = p->v.high = 0;
	for (size_t i = 0; i < rows->n; i++) {
		const struct speed_row *r = &rows->rows[i];

		if (!is_of(r, sweep, work))
			continue;
		widen(&p->h, value_h(r));
		for (unsigned q = 0; q < n_values(sweep); q++) {
			if (value_v(r, q) > 0)
				widen(&p->v, value_v(r, q));
		}
	}
	if (p->v.low > p->v.high)
		p->v.low = p->v.high = 1;
	round_out(&p->v);
	if (sweep == SPEED_LOADS) {
		p->h.low = 0;
		p->h.high = p->h.high > 0 ? 1.03 * p->h.high : 1;
	} else if (p->h.high <= p->h.low) {
		p->h.high = 2 * p->h.low;
	}
}

static void draw_door(FILE *f, const struct svg_panel *p, const struct speed_rows *rows,
		      const struct speed_row *like, size_t style)
{
	struct svg_point points[MAX_POINTS];

	for (unsigned q = 0; q < n_values(like->sweep); q++) {
		struct svg_style s = styles[style].style;
		size_t n = 0;

		for (size_t i = 0; i < rows->n && n < MAX_POINTS; i++) {
			const struct speed_row *r = &rows->rows[i];

			if (is_of(r, like->sweep, like->work) &&
			    !strcmp(r->door, styles[style].door))
				points[n++] = (struct svg_point){value_h(r), value_v(r, q)};
		}
		if (like->sweep == SPEED_LOADS)
			s.dash = quantiles[q].dash;
		if (n)
			svg_line(f, p, points, n, &s);
	}
}

static void draw_panel(FILE *f, const struct speed_rows *rows, enum speed_sweep sweep,
		       enum speed_work_kind work, unsigned place)
{
	const struct speed_row like = {.sweep = sweep, .work = work};
	char title[128];
	struct svg_panel p = {
		.title = title,
		.x = LEFT + (place % COLUMNS) * (LEFT + PANEL_WIDTH + RIGHT),
		.y = HEAD + ABOVE + (place / COLUMNS) * (ABOVE + PANEL_HEIGHT + BELOW),
		.width = PANEL_WIDTH,
		.height = PANEL_HEIGHT,
		.h = {.label = shapes[sweep].h_label,
		      .log = shapes[sweep].h_log,
		      .binary = shapes[sweep].h_binary},
		.v = {.label = shapes[sweep].v_label, .log = true},
	};

	snprintf(title, sizeof(title), "%s: %s", speed_work_name(work), shapes[sweep].title);
	fit(&p, rows, sweep, work);
	svg_panel(f, &p);
	for (size_t i = 0; i < N_STYLES; i++)
		draw_door(f, &p, rows, &like, i);
}

/* ---- the page ---- */

static bool has_door(const struct speed_rows *rows, const char *door)
{
	for (size_t i = 0; i < rows->n; i++) {
		if (!strcmp(rows->rows[i].door, door))
			return true;
	}
	return false;
}

static bool has_sweep(const struct speed_rows *rows, enum speed_sweep sweep)
{
	for (size_t i = 0; i < rows->n; i++) {
		if (rows->rows[i].sweep == sweep)
			return true;
	}
	return false;
}

static void draw_head(FILE *f, const struct speed_rows *rows, const char *machine)
{
	char line[512];
	double x = LEFT;

	svg_text(f, LEFT, 26, 16, "start", "kcf beside libcrypto and beside the most two cores do");
	snprintf(line, sizeof(line),
		 "%s; kcf %s, OpenSSL %s; kcfd with one worker on a CPU of its own", machine,
		 KCF_VERSION, OpenSSL_version(OPENSSL_VERSION_STRING));
	svg_text(f, LEFT, 46, 12, "start", line);
	for (size_t i = 0; i < N_STYLES; i++) {
		if (has_door(rows, styles[i].door))
			x = svg_key(f, x, 70, &styles[i].style, styles[i].door);
	}
	for (unsigned q = 0; q < 3 && has_sweep(rows, SPEED_LOADS); q++) {
		const struct svg_style s = {"#222", quantiles[q].dash, false};

		x = svg_key(f, x, 70, &s, quantiles[q].name);
	}
}

bool speed_plot(FILE *f, const struct speed_rows *rows, const char *machine)
{
	unsigned n = 0, place = 0;

	for (unsigned s = 0; s < SPEED_SWEEPS; s++) {
		for (unsigned w = 0; w < SPEED_WORKS; w++)
			n += has_panel(rows, (enum speed_sweep)s, (enum speed_work_kind)w);
	}
	svg_begin(f, COLUMNS * (LEFT + PANEL_WIDTH + RIGHT),
		  HEAD + ((n + COLUMNS - 1) / COLUMNS) * (ABOVE + PANEL_HEIGHT + BELOW) + 8);
	draw_head(f, rows, machine);
	for (unsigned s = 0; s < SPEED_SWEEPS; s++) {
		for (unsigned w = 0; w < SPEED_WORKS; w++) {
			if (has_panel(rows, (enum speed_sweep)s, (enum speed_work_kind)w))
				draw_panel(f, rows, (enum speed_sweep)s, (enum speed_work_kind)w,
					   place++);
		}
	}
	svg_end(f);
	return fflush(f) == 0 && !ferror(f);
}

void speed_machine(char *ret, size_t room)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256], model[128] = "unknown CPU";

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "model name : %127[^\n]", model) == 1)
			break;
	}
	if (f)
		fclose(f);
	snprintf(ret, room, "%s, %ld CPU%s", model, n, n == 1 ? "" : "s");
}
