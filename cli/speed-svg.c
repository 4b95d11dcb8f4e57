/* SPDX-License-Identifier: Apache-2.0 */
/* speed-svg - see speed-svg.h. */
#include <math.h>

#include "speed-svg.h"

#define INK        "#222"
#define GRID       "#ddd"
#define FAINT      "#f0f0f0"
#define TEXT_SIZE  11.0
#define TITLE_SIZE 13.0
#define MAX_TICKS  64

/* ---- text ---- */

static void put_escaped(FILE *f, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '<')
			fputs("&lt;", f);
		else if (c == '>')
			fputs("&gt;", f);
		else if (c == '&')
			fputs("&amp;", f);
		else if (c >= ' ' && c < 0x7f)
			fputc(c, f);
		else
			fputc('?', f);
	}
}

void svg_begin(FILE *f, double width, double height)
{
	fprintf(f,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\" font-family=\"DejaVu Sans, Helvetica, Arial, "
		"sans-serif\" fill=\"" INK "\">\n"
		"<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n",
		width, height, width, height, width, height);
}

void svg_end(FILE *f)
{
	fputs("</svg>\n", f);
}

void svg_text(FILE *f, double x, double y, double size, const char *anchor, const char *text)
{
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.0f\" text-anchor=\"%s\">", x, y, size,
		anchor);
	put_escaped(f, text);
	fputs("</text>\n", f);
}

static void rule(FILE *f, double x1, double y1, double x2, double y2, const char *colour)
{
	fprintf(f,
		"<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
		"stroke-width=\"1\"/>\n",
		x1, y1, x2, y2, colour);
}

/* ---- axes ---- */

/* 0 at the low end, 1 at the high end. */
static double share(const struct svg_axis *a, double v)
{
	return a->log ? log(v / a->low) / log(a->high / a->low) : (v - a->low) / (a->high - a->low);
}

static bool is_inside(const struct svg_axis *a, double v)
{
	return v >= a->low * (1 - 1e-9) && v <= a->high * (1 + 1e-9);
}

static double place_h(const struct svg_panel *p, double v)
{
	return p->x + share(&p->h, v) * p->width;
}

static double place_v(const struct svg_panel *p, double v)
{
	return p->y + (1 - share(&p->v, v)) * p->height;
}

static void format_number(const struct svg_axis *a, double v, char *ret, size_t room)
{
	static const char suffixes[] = {0, 'K', 'M', 'G'};
	double thousand = a->binary ? 1024 : 1000;
	unsigned i = 0;

	for (; v >= thousand * (1 - 1e-9) && i < 3; i++)
		v /= thousand;
	snprintf(ret, room, "%.3g%c", v, a->binary || !i ? suffixes[i] : "kMG"[i - 1]);
}

struct tick {
	double at;
	bool minor; /* a line without a number */
};

static size_t ticks_linear(const struct svg_axis *a, struct tick *ret)
{
	double raw = (a->high - a->low) / 6, unit = pow(10, floor(log10(raw)));
	double step = raw / unit > 5 ? 10 * unit : raw / unit > 2 ? 5 * unit : 2 * unit;
	size_t n = 0;

	for (double v = ceil(a->low / step) * step; v <= a->high * (1 + 1e-9) && n < MAX_TICKS;
	     v += step)
		ret[n++] = (struct tick){v, false};
	return n;
}

static size_t ticks_binary(const struct svg_axis *a, struct tick *ret)
{
	/* Every power of 2 has its number, or of 4 where there are many. */
	bool many = a->high / a->low > 1024;
	size_t n = 0;

	for (int e = (int)ceil(log2(a->low) - 1e-9); n < MAX_TICKS; e++) {
		double v = ldexp(1, e);

		if (v > a->high * (1 + 1e-9))
			break;
		if (!many || e % 2 == 0)
			ret[n++] = (struct tick){v, false};
	}
	return n;
}

static size_t ticks_decimal(const struct svg_axis *a, struct tick *ret)
{
	bool wide = a->high / a->low > 1000;
	size_t n = 0;

	for (double decade = pow(10, floor(log10(a->low) + 1e-9)); decade <= a->high * (1 + 1e-9);
	     decade *= 10) {
		for (unsigned digit = 1; digit <= 9 && n < MAX_TICKS; digit++) {
			bool major = digit == 1 || (!wide && (digit == 2 || digit == 5));

			if (is_inside(a, digit * decade))
				ret[n++] = (struct tick){digit * decade, !major};
		}
	}
	return n;
}

static size_t ticks(const struct svg_axis *a, struct tick *ret)
{
	return !a->log     ? ticks_linear(a, ret)
	       : a->binary ? ticks_binary(a, ret)
			   : ticks_decimal(a, ret);
}

static void axis_h(FILE *f, const struct svg_panel *p, bool labels)
{
	struct tick list[MAX_TICKS];
	size_t n = ticks(&p->h, list);
	char text[32];

	for (size_t i = 0; i < n; i++) {
		double x = place_h(p, list[i].at);

		if (!labels)
			rule(f, x, p->y, x, p->y + p->height, list[i].minor ? FAINT : GRID);
		if (!labels || list[i].minor)
			continue;
		format_number(&p->h, list[i].at, text, sizeof(text));
		svg_text(f, x, p->y + p->height + 16, TEXT_SIZE, "middle", text);
	}
}

static void axis_v(FILE *f, const struct svg_panel *p, bool labels)
{
	struct tick list[MAX_TICKS];
	size_t n = ticks(&p->v, list);
	char text[32];

	for (size_t i = 0; i < n; i++) {
		double y = place_v(p, list[i].at);

		if (!labels)
			rule(f, p->x, y, p->x + p->width, y, list[i].minor ? FAINT : GRID);
		if (!labels || list[i].minor)
			continue;
		format_number(&p->v, list[i].at, text, sizeof(text));
		svg_text(f, p->x - 6, y + 4, TEXT_SIZE, "end", text);
	}
}

void svg_panel(FILE *f, const struct svg_panel *p)
{
	double x = p->x - 44, y = p->y + p->height / 2;

	axis_h(f, p, false);
	axis_v(f, p, false);
	fprintf(f,
		"<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
		"stroke=\"" INK "\"/>\n",
		p->x, p->y, p->width, p->height);
	axis_h(f, p, true);
	axis_v(f, p, true);
	svg_text(f, p->x + p->width / 2, p->y - 10, TITLE_SIZE, "middle", p->title);
	svg_text(f, p->x + p->width / 2, p->y + p->height + 34, TEXT_SIZE, "middle", p->h.label);
	fprintf(f, "<g transform=\"rotate(-90 %.1f %.1f)\">\n", x, y);
	svg_text(f, x, y, TEXT_SIZE, "middle", p->v.label);
	fputs("</g>\n", f);
}

/* ---- lines ---- */

static void put_stroke(FILE *f, const struct svg_style *style)
{
	fprintf(f, "fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" stroke-linejoin=\"round\"",
		style->colour);
	if (style->dash)
		fprintf(f, " stroke-dasharray=\"%s\"", style->dash);
	fputs("/>\n", f);
}

static bool is_shown(const struct svg_panel *p, const struct svg_point *point)
{
	return is_inside(&p->h, point->h) && is_inside(&p->v, point->v);
}

void svg_line(FILE *f, const struct svg_panel *p, const struct svg_point *points, size_t n,
	      const struct svg_style *style)
{
	fputs("<polyline points=\"", f);
	for (size_t i = 0; i < n; i++) {
		if (is_shown(p, &points[i]))
			fprintf(f, "%.1f,%.1f ", place_h(p, points[i].h), place_v(p, points[i].v));
	}
	fputs("\" ", f);
	put_stroke(f, style);
	for (size_t i = 0; style->dots && i < n; i++) {
		if (is_shown(p, &points[i]))
			fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\"/>\n",
				place_h(p, points[i].h), place_v(p, points[i].v), style->colour);
	}
}

double svg_key(FILE *f, double x, double y, const struct svg_style *style, const char *name)
{
	size_t len = 0;

	fprintf(f, "<path d=\"M%.1f %.1fh26\" ", x, y - 4);
	put_stroke(f, style);
	if (style->dots)
		fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\"/>\n", x + 13,
			y - 4, style->colour);
	svg_text(f, x + 32, y, TEXT_SIZE + 1, "start", name);
	while (name[len])
		len++;
	return x + 32 + 7.2 * (double)len + 18;
}
