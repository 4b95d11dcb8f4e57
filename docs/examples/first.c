/* SPDX-License-Identifier: Apache-2.0 */
/* first - the program that README.md shows. */
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <kcf/client.h>

static void on_done(void *arg, const struct kcf_completion *completion)
{
	printf("asynchronous: %s, by %s\n", kcf_strstatus(completion->status),
	       completion->provider);
	sem_post((sem_t *)arg);
}

int main(void)
{
	unsigned char digest[32];
	struct kcf_mechanism sha256 = {KCF_M_SHA256, 0, NULL};
	struct kcf_data in = kcf_flat("abc", 3), out = kcf_flat(digest, sizeof(digest));
	struct kcf_call_req req;
	struct kcf_client *client;
	enum kcf_status status = kcf_client_open(NULL, &client);
	sem_t done;

	if (status != KCF_SUCCESS) {
		fprintf(stderr, "open: %s\n", kcf_strstatus(status));
		return 1;
	}
	status = kcf_digest(client, &sha256, &in, &out, NULL); /* synchronous, in this thread */
	printf("synchronous: %s, %02x%02x...\n", kcf_strstatus(status), digest[0], digest[1]);

	sem_init(&done, 0, 0);
	memset(&req, 0, sizeof(req));
	req.flags = KCF_ALWAYS_QUEUE; /* not in this thread: by kcfd */
	req.callback = on_done; /* runs exactly once after KCF_QUEUED, on the library's thread */
	req.arg = &done;
	if (kcf_digest(client, &sha256, &in, &out, &req) == KCF_QUEUED)
		sem_wait(&done);
	return kcf_client_close(client) != KCF_SUCCESS;
}
