/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypt-single - encryption of a small file as one request: AEAD with --raw (ciphertext then tag),
 * key wrap, XTS (one data unit), RSA. One thread.
 */
#include <stdlib.h>
#include <string.h>

#include "crypt.h"
#include "tool.h"

#define SINGLE_MAX      (1024u * 1024 * 1024)
#define SINGLE_MAX_KCFD (16u * 1024 * 1024)
#define OUT_EXTRA       1024u /* tag, wrap header, or a whole RSA block */

/* Storage of the parameter this mechanism takes. */
union single_param {
	struct kcf_param_iv iv;
	struct kcf_param_aead aead;
	struct kcf_param_rsa_oaep oaep;
};

static int fill_oaep(struct crypt *c, struct kcf_param_rsa_oaep *oaep)
{
	struct mech_choice hash;
	int code;

	*oaep = (struct kcf_param_rsa_oaep){.label = c->aad, .label_len = c->aad_len};
	if (!c->s.args.oaep_hash)
		return TOOL_OK;
	code = mech_choose(c->s.client, c->s.args.oaep_hash, KCF_CLASS_DIGEST, &hash);
	oaep->hash = hash.info.number;
	return code;
}

static int fill_param(struct crypt *c, struct kcf_mechanism *mech, union single_param *p)
{
	switch (c->s.mech.info.param_kind) {
	case KCF_PARAM_IV:
		p->iv = (struct kcf_param_iv){c->iv, c->iv_len};
		mech->param_len = sizeof(p->iv);
		break;
	case KCF_PARAM_AEAD:
		p->aead = (struct kcf_param_aead){
			.iv = c->iv, .iv_len = c->iv_len, .aad = c->aad, .aad_len = c->aad_len};
		mech->param_len = sizeof(p->aead);
		break;
	case KCF_PARAM_RSA_OAEP:
		mech->param = p;
		mech->param_len = sizeof(p->oaep);
		return fill_oaep(c, &p->oaep);
	default:
		return TOOL_OK;
	}
	mech->param = p;
	if (c->iv)
		return TOOL_OK;
	tool_error("%s needs --iv HEX", c->s.mech.info.name);
	return TOOL_USAGE;
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	enum kcf_status status;
	size_t len;
};

static void on_done(void *arg, const struct kcf_completion *completion)
{
	struct waiter *w = arg;

	pthread_mutex_lock(&w->lock);
	w->status = completion->status;
	w->len = completion->len;
	w->done = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static enum kcf_status call(struct crypt *c, const struct kcf_mechanism *mech,
			    const struct kcf_data *in, struct kcf_data *out)
{
	struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct kcf_call_req queued = {.flags = KCF_ALWAYS_QUEUE,
				      .callback = on_done,
				      .arg = &w,
				      .preference = c->s.args.provider ? KCF_ONLY_PROVIDER : 0,
				      .provider = c->s.args.provider};
	struct kcf_call_req direct;
	struct kcf_call_req *req = c->s.args.async ? &queued : session_req(&c->s, &direct);
	enum kcf_status status;

	status = (c->decrypt ? kcf_decrypt : kcf_encrypt)(c->s.client, mech, &c->s.key.key, in, out,
							  req);
	if (status != KCF_QUEUED)
		return status;
	pthread_mutex_lock(&w.lock);
	while (!w.done)
		pthread_cond_wait(&w.changed, &w.lock);
	pthread_mutex_unlock(&w.lock);
	out->used = w.len;
	return w.status;
}

int crypt_single(struct crypt *c)
{
	struct kcf_mechanism mech = {.number = c->s.mech.info.number};
	union single_param param;
	struct kcf_data in, out;
	unsigned char *buf = NULL;
	size_t len = 0, room;
	enum kcf_status status;
	int code = fill_param(c, &mech, &param);

	if (code != TOOL_OK)
		return code;
	code = session_read_small(&c->source, session_in_kcfd(&c->s) ? SINGLE_MAX_KCFD : SINGLE_MAX,
				  &buf, &len);
	if (code != TOOL_OK)
		return code;
	room = len + OUT_EXTRA;
	in = kcf_flat(buf, len);
	out = kcf_flat(malloc(room), room);
	status = out.base ? call(c, &mech, &in, &out) : KCF_HOST_MEMORY;
	c->done = (struct stream_result){status, 1, len, out.used};
	if (status == KCF_SUCCESS)
		code = sink_write(&c->sink, out.base, out.used);
	else
		code = tool_fail(status, "%s %s", c->s.command, c->source.name);
	if (out.base)
		explicit_bzero(out.base, room);
	explicit_bzero(buf, len);
	free(out.base);
	free(buf);
	return code;
}
