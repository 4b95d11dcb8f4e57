/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest - prints the mechanisms a module offers, one a line: what kcf-NAME.manifest holds, so that kcfd finds the module for
 * a mechanism before it is loaded. Run at build time. A module for tests only prints none.
 */
#include <dlfcn.h>
#include <kcf/provider.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	const struct kcf_provider_desc *desc;
	void *module;

	if (argc != 2) {
		fprintf(stderr, "usage: %s MODULE\n", argv[0]);
		return 2;
	}
	module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	desc = module ? dlsym(module, KCF_PROVIDER_SYMBOL) : NULL;
	if (!desc) {
		fprintf(stderr, "%s: %s\n", argv[0], dlerror());
		return 1;
	}
	printf("# SPDX-License-Identifier: Apache-2.0\n");
	for (uint32_t i = 0; i < desc->n_rows && !(desc->flags & KCF_DESC_TEST_ONLY); i++)
		printf("%s\n", desc->rows[i].name);
	return 0;
}
