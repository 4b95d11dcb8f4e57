/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of made-up rows: everything drawn is inside its panel, and text cannot break them. */
#include "../../cli/speed-plot.h"
#include "../../cli/speed-svg.h"
#include "test-main.h"

static char *text;

static char *draw(const struct speed_row *list, size_t n, const char *machine)
{
	struct speed_rows rows = {(struct speed_row *)list, n, n};
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert(speed_plot(f, &rows, machine));
	fclose(f);
	return text;
}

static unsigned count(const char *what)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static struct speed_row size_row(const char *door, size_t size, double rate)
{
	return (struct speed_row){.sweep = SPEED_SIZES,
				  .work = SPEED_GCM_ENC,
				  .size = size,
				  .depth = 1,
				  .clients = 1,
				  .door = door,
				  .rate = rate};
}

static void assert_sane(void)
{
	ck_assert_ptr_null(strstr(text, "nan"));
	ck_assert_ptr_null(strstr(text, "inf"));
	ck_assert(!strncmp(text, "<?xml", 5));
	ck_assert_str_eq(text + strlen(text) - 7, "</svg>\n");
}

START_TEST(nothing_measured_is_an_empty_picture)
{
	draw(NULL, 0, "m");
	assert_sane();
	ck_assert_uint_eq(count("<polyline"), 0);
	free(text);
}
END_TEST

START_TEST(each_door_has_a_line_of_its_points)
{
	struct speed_row rows[] = {size_row("direct", 64, 1e6), size_row("direct", 1024, 5e5),
				   size_row("caller", 64, 2e6), size_row("caller", 1024, 6e5),
				   size_row("caller", 65536, 1e4)};

	draw(rows, 5, "m");
	assert_sane();
	ck_assert_uint_eq(count("<polyline"), 2);
	/* points, and one in each key */
	ck_assert_uint_eq(count("<circle"), 5 + 2);
	ck_assert_ptr_nonnull(strstr(text, "aes256gcm-enc: throughput by size"));
	free(text);
}
END_TEST

START_TEST(points_lie_within_their_panel)
{
	struct speed_row rows[] = {size_row("direct", 64, 1e6), size_row("direct", 1 << 20, 3e3),
				   size_row("arena", 64, 17), size_row("arena", 1 << 20, 1e4)};
	double x, y, left, top, width, height;
	const char *p;

	draw(rows, 4, "m");
	p = strstr(text, "fill=\"none\" stroke=\"#222\"");
	while (strncmp(p, "<rect", 5))
		p--;
	ck_assert_int_eq(sscanf(p, "<rect x=\"%lf\" y=\"%lf\" width=\"%lf\" height=\"%lf\"", &left,
				&top, &width, &height),
			 4);
	for (p = text; (p = strstr(p, "<polyline points=\""));) {
		int n;

		for (p += 18; sscanf(p, "%lf,%lf %n", &x, &y, &n) == 2; p += n) {
			ck_assert(x >= left - .1 && x <= left + width + .1);
			ck_assert(y >= top - .1 && y <= top + height + .1);
		}
	}
	free(text);
}
END_TEST

START_TEST(latencies_have_three_lines_a_door)
{
	struct speed_row rows[2];

	for (unsigned i = 0; i < 2; i++)
		rows[i] = (struct speed_row){.sweep = SPEED_LOADS,
					     .work = SPEED_HMAC,
					     .size = 1024,
					     .door = "arena",
					     .offered = 1e5 * (i + 1),
					     .rate = 1e5 * (i + 1),
					     .p50 = 5,
					     .p99 = 50,
					     .p999 = 500};
	draw(rows, 2, "m");
	assert_sane();
	ck_assert_uint_eq(count("<polyline"), 3);
	ck_assert_ptr_nonnull(strstr(text, ">p99.9<"));
	free(text);
}
END_TEST

START_TEST(one_point_of_zero_draws_too)
{
	struct speed_row row = size_row("direct", 64, 0);

	draw(&row, 1, "m");
	assert_sane();
	free(text);
}
END_TEST

START_TEST(signatures_are_no_curve)
{
	struct speed_row row = size_row("direct", 32, 4000);

	row.work = SPEED_RSA_SIGN;
	draw(&row, 1, "m");
	ck_assert_uint_eq(count("<polyline"), 0);
	free(text);
}
END_TEST

START_TEST(text_is_escaped)
{
	draw(NULL, 0, "<script>&\"\x01\xff");
	ck_assert_ptr_null(strstr(text, "<script"));
	ck_assert_ptr_nonnull(strstr(text, "&lt;script&gt;&amp;\"??"));
	free(text);
}
END_TEST

START_TEST(numbers_are_short)
{
	const struct svg_panel panel = {
		.title = "t",
		.width = 100,
		.height = 100,
		.h = {.label = "h", .low = 64, .high = 1 << 20, .log = true, .binary = true},
		.v = {.label = "v", .low = 0.1, .high = 2e6, .log = true}};
	size_t len;
	FILE *f = open_memstream(&text, &len);

	svg_panel(f, &panel);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, ">64<"));
	ck_assert_ptr_nonnull(strstr(text, ">64K<"));
	ck_assert_ptr_nonnull(strstr(text, ">1M<"));
	ck_assert_ptr_nonnull(strstr(text, ">0.1<"));
	ck_assert_ptr_nonnull(strstr(text, ">100k<"));
	free(text);
}
END_TEST

START_TEST(full_disk_is_noticed)
{
	const struct speed_rows none = {0};
	FILE *f = fopen("/dev/full", "we");

	ck_assert_ptr_nonnull(f);
	ck_assert(!speed_plot(f, &none, "m"));
	fclose(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("speed-plot");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, nothing_measured_is_an_empty_picture);
	tcase_add_test(tc, each_door_has_a_line_of_its_points);
	tcase_add_test(tc, points_lie_within_their_panel);
	tcase_add_test(tc, latencies_have_three_lines_a_door);
	tcase_add_test(tc, one_point_of_zero_draws_too);
	tcase_add_test(tc, signatures_are_no_curve);
	tcase_add_test(tc, text_is_escaped);
	tcase_add_test(tc, numbers_are_short);
	tcase_add_test(tc, full_disk_is_noticed);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
