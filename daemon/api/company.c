/* SPDX-License-Identifier: Apache-2.0 */
#include "api/company.h"

static bool is_worth_it(struct company *c)
{
	if (++c->n_skipped >> c->n_alone == 0)
		return false;
	c->n_skipped = 0;
	return true;
}

bool company_wait(struct company *c, unsigned n, uint64_t now, uint64_t most_ns)
{
	if (!most_ns)
		return false;
	if (!c->since_ns) {
		if (!is_worth_it(c))
			return false;
		c->since_ns = now;
		c->n = n;
	}
	return now - c->since_ns < most_ns;
}

void company_end(struct company *c, unsigned n)
{
	if (c->since_ns && n > c->n)
		c->n_alone = 0;
	else if (c->since_ns && c->n_alone < COMPANY_RARELY)
		c->n_alone++;
	c->since_ns = 0;
}
