/* SPDX-License-Identifier: Apache-2.0 */
#include "api/caller.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include "api/conn.h"
#include "base/json.h"
#include "table/page.h"

/* Distinct (mechanism, provider) pairs of one connection; what is beyond is counted as "all
 * others". */
#define PAIRS_MAX 256u

struct counts {
	struct caller_count rows[PAIRS_MAX];
	unsigned n;
};

static void add(uint64_t *to, uint64_t n)
{
	if (__builtin_add_overflow(*to, n, to))
		*to = UINT64_MAX;
}

static struct caller_count *count_of(struct counts *all, uint32_t mech, uint32_t row1)
{
	struct caller_count *row;

	for (unsigned i = 0; i < all->n; i++) {
		row = &all->rows[i];
		if (row->mech == mech && row->provider_row1 == row1)
			return row;
	}
	if (all->n == PAIRS_MAX)
		return &all->rows[0];
	row = &all->rows[all->n++];
	*row = (struct caller_count){.mech = mech, .provider_row1 = row1};
	return row;
}

static void add_row(struct conn *c, struct counts *all, const struct page_row *row)
{
	bool known = row->provider && row->provider <= TABLE_PROVIDERS &&
		     mech_param_kind(c->api->core, row->mech) >= 0;
	struct caller_count *to;

	if (!row->ops && !row->errors)
		return;
	to = known ? count_of(all, row->mech, row->provider) : &all->rows[0];
	add(&to->ops, row->ops);
	add(&to->bytes, row->bytes);
	add(&to->errors, row->errors);
	add(&to->sampled_ns, row->sampled_ns);
	add(&to->samples, row->samples);
}

/* Is there anything behind kcfd's own two pages? A client without work of its own never touches
 * them. */
static bool has_cells(const struct conn *c)
{
	return c->page_fd >= 0 &&
	       lseek(c->page_fd, (off_t)offsetof(struct page, cells), SEEK_DATA) >= 0;
}

static bool read_at(const struct conn *c, size_t at, void *to, size_t len)
{
	return pread(c->page_fd, to, len, (off_t)at) == (ssize_t)len;
}

static size_t cell_at(unsigned i)
{
	return offsetof(struct page, cells) + i * sizeof(struct page_cell);
}

static void add_cell(struct conn *c, unsigned i, struct counts *all)
{
	static struct page_row rows[PAGE_ROWS];
	uint32_t n;

	if (!read_at(c, cell_at(i) + offsetof(struct page_cell, n_rows), &n, sizeof(n)) || !n)
		return;
	if (!read_at(c, cell_at(i) + offsetof(struct page_cell, rows), rows, sizeof(rows)))
		return;
	for (unsigned k = 0; k < PAGE_ROWS; k++)
		add_row(c, all, &rows[k]);
}

void caller_fold(struct conn *c, bool closed)
{
	static struct counts all;

	/* Row 0 counts all others. */
	memset(&all.rows[0], 0, sizeof(all.rows[0]));
	all.n = 1;
	if (has_cells(c)) {
		for (unsigned i = 0; i < PAGE_CELLS; i++)
			add_cell(c, i, &all);
	} else if (!closed) {
		return;
	}
	core_caller_counts(c->api->core, c, c->consumer, all.rows, all.n, closed);
}

/* ---- trace ---- */

static const char *mech_of(const struct table_copy *t, uint32_t number)
{
	int i = table_find(t, number);

	return i < 0 ? "?" : t->mechs[i].name;
}

static const char *op_word(unsigned op)
{
	static const char *const words[KCF_OP_COUNT] = {
#define KCF__X(name, number, text, classes) [number] = text,
		KCF_OP_LIST(KCF__X)
#undef KCF__X
	};

	return op < KCF_OP_COUNT && words[op] ? words[op] : "?";
}

static void put_decision(struct conn *c, struct json *j, const struct page_decision *d)
{
	const struct table_copy *t = core_table(c->api->core);

	json_object(j, NULL);
	json_u64(j, "decision", d->seq);
	json_u64(j, "connection", c->id);
	json_u64(j, "uid", c->uid);
	json_string(j, "operation", op_word(d->op));
	json_string(j, "mechanism", mech_of(t, d->mech));
	json_u64(j, "bytes", d->bytes);
	json_string(j, "chosen",
		    d->provider && d->provider <= TABLE_PROVIDERS
			    ? t->providers[d->provider - 1].name
			    : "?");
	json_string(j, "place", "caller");
	json_string(j, "status", kcf_status_name((enum kcf_status)d->status));
	json_end_object(j);
}

unsigned caller_trace(struct conn *c, struct json *j, unsigned max)
{
	static struct page_decision ring[PAGE_DECISIONS];
	unsigned put = 0;
	uint32_t n;

	for (unsigned i = 0; i < PAGE_CELLS && has_cells(c); i++) {
		size_t at = cell_at(i);

		if (!read_at(c, at + offsetof(struct page_cell, n_decisions), &n, sizeof(n)) ||
		    !read_at(c, at + offsetof(struct page_cell, decisions), ring, sizeof(ring)))
			break;
		for (uint32_t k = n > PAGE_DECISIONS ? n - PAGE_DECISIONS : 0; k < n && put < max;
		     k++, put++)
			put_decision(c, j, &ring[k % PAGE_DECISIONS]);
	}
	return put;
}
