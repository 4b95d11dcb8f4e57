/* SPDX-License-Identifier: Apache-2.0 */
/*
 * speed-svg - plots as SVG text: panels with axes, grid and lines. No state but the stream; errors
 * stay in it (ferror). Coordinates are pixels, y downwards. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct svg_axis {
	const char *label;
	double low, high; /* low < high; above 0 if log */
	bool log;
	bool binary; /* log: ticks at powers of 2, else of 10; numbers with K, M for 1024 */
};

/* x, y, width, height: of the area within the axes; labels are outside. */
struct svg_panel {
	const char *title;
	double x, y, width, height;
	struct svg_axis h, v;
};

struct svg_point {
	double h, v; /* values, as the axes count */
};

struct svg_style {
	const char *colour;
	const char *dash; /* as stroke-dasharray; NULL = solid */
	bool dots;        /* mark the points */
};

void svg_begin(FILE *f, double width, double height);
void svg_end(FILE *f);
/* anchor: start, middle or end. The text is escaped. */
void svg_text(FILE *f, double x, double y, double size, const char *anchor, const char *text);
void svg_panel(FILE *f, const struct svg_panel *p);
/* Points are joined in their order; those outside the axes are left out. */
void svg_line(FILE *f, const struct svg_panel *p, const struct svg_point *points, size_t n,
	      const struct svg_style *style);
/* A sample of a line and its name; returns where the next may begin. */
double svg_key(FILE *f, double x, double y, const struct svg_style *style, const char *name);
