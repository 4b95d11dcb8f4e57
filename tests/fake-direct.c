/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-direct - stands in for the in-caller half in tests of the daemon-facing half: everything
 * must go to kcfd, unless the test says otherwise.
 */
#include "fake-direct.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client-private.h"

struct direct {
	struct kcf_client *client;
	struct page *page;
};

enum kcf_status fake_direct_status;
bool fake_direct_done;
unsigned fake_direct_forks;
unsigned fake_direct_modules;

struct direct *direct_new(struct kcf_client *client)
{
	struct direct *d = calloc(1, sizeof(*d));

	d->client = client;
	return d;
}

void direct_detach(struct direct *d)
{
	if (d->page)
		page_unmap(d->page);
	d->page = NULL;
}

void direct_free(struct direct *d)
{
	if (!d)
		return;
	direct_detach(d);
	free(d);
}

enum kcf_status direct_attach(struct direct *d, int table_fd, int page_fd,
			      const char *const *module_names, const uint32_t *module_providers,
			      const int *module_fds, unsigned n_modules, bool trusted)
{
	close(table_fd);
	for (unsigned i = 0; i < n_modules; i++)
		close(module_fds[i]);
	return page_map(page_fd, &d->page) < 0 ? KCF_HOST_MEMORY : KCF_SUCCESS;
}

void direct_attach_module(struct direct *d, uint32_t provider, int fd, bool trusted)
{
	close(fd);
	fake_direct_modules += provider == 3;
}

enum kcf_status direct_standalone(struct direct *d, const char *dir)
{
	return KCF_SUCCESS;
}

void direct_after_fork(struct direct *d)
{
	fake_direct_forks++;
	direct_detach(d);
}

enum direct_verdict direct_call(struct direct *d, const struct op_call *call,
				enum kcf_status *ret_status)
{
	if (!fake_direct_done)
		return DIRECT_SEND;
	*ret_status = fake_direct_status;
	return DIRECT_DONE;
}

/* Templates alone have to know their place, and theirs is kcfd unless fake_direct_done. */
bool direct_sends(struct direct *d, const struct op_call *call, enum kcf_param_kind *ret_kind)
{
	return !fake_direct_done &&
	       direct_check_param(d, call->mech, ret_kind) == KCF_SUCCESS;
}

bool direct_may_spin(struct direct *d, unsigned n_cpus, unsigned counted)
{
	return n_cpus > 1;
}

struct page *direct_page(struct direct *d)
{
	return d->page;
}

enum kcf_status direct_mech_find(struct direct *d, const char *name, kcf_mech_t *ret)
{
	const struct kcf_mech_name *m = kcf_mech_by_name(name);

	if (!m)
		return KCF_MECH_NOT_SUPPORTED;
	*ret = m->number;
	return KCF_SUCCESS;
}

enum kcf_status direct_mech_info(struct direct *d, kcf_mech_t number, struct kcf_mech_info *ret)
{
	return KCF_MECH_NOT_SUPPORTED;
}

enum kcf_status direct_mech_list(struct direct *d, struct kcf_mech_info *ret, size_t *n)
{
	*n = 0;
	return KCF_SUCCESS;
}

uint32_t direct_to_daemon(struct direct *d, kcf_mech_t number)
{
	return number;
}

kcf_mech_t direct_from_daemon(struct direct *d, uint32_t number)
{
	return number;
}

const char *direct_provider_name(struct direct *d, uint32_t row1)
{
	return row1 ? "fake" : "";
}

enum kcf_status direct_check_param(struct direct *d, const struct kcf_mechanism *mech,
				   enum kcf_param_kind *ret_kind)
{
	const struct kcf_mech_name *m = kcf_mech_name(mech->number);

	if (!m)
		return KCF_MECHANISM_INVALID;
	*ret_kind = m->param_kind;
	if (mech->param && mech->param_len != param_size(m->param_kind))
		return KCF_MECHANISM_PARAM_INVALID;
	if (!mech->param && !param_is_optional(m->param_kind))
		return KCF_MECHANISM_PARAM_INVALID;
	return KCF_SUCCESS;
}

uint64_t direct_predict_ns(struct direct *d, kcf_mech_t number, size_t len)
{
	return 0;
}

enum kcf_status direct_template_new(struct direct *d, kcf_mech_t mech, const struct kcf_key *key,
				    struct kcf_template **ret)
{
	struct kcf_template *t = calloc(1, sizeof(*t));

	t->client = d->client;
	t->refs = 1;
	t->mech = mech;
	t->param_kind = kcf_mech_name(mech) ? kcf_mech_name(mech)->param_kind : KCF_PARAM_NONE;
	t->kind = key->kind;
	t->len = key->len;
	t->bytes = malloc(key->len + 1);
	if (key->len)
		memcpy(t->bytes, key->bytes, key->len);
	*ret = t;
	return KCF_SUCCESS;
}

void template_ref(struct kcf_template *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}

void template_unref(struct kcf_template *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(t->bytes);
	free(t);
}

enum direct_verdict direct_context_new(struct direct *d, const struct kcf_how *how,
				       const struct kcf_call_req *req, struct direct_context **ret,
				       enum kcf_status *ret_status)
{
	return DIRECT_SEND;
}

enum kcf_status direct_context_update(struct direct_context *c, const struct kcf_data *in,
				      struct kcf_data *out, bool wait)
{
	return KCF_FAILED;
}

enum kcf_status direct_context_final(struct direct_context *c, const struct kcf_data *check,
				     struct kcf_data *out, bool wait)
{
	return KCF_FAILED;
}

void direct_context_free(struct direct_context *c)
{
}
