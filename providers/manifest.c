/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest - prints the mechanisms a module offers, one a line: what kcf-NAME.manifest holds, so
 * that kcfd finds the module for a mechanism before it is loaded. Run at build time. A module for
 * tests only prints none. With --rows: name, least and greatest key bits, "legacy" or "-", for
 * docs/mechanisms.md.
 */
#include <dlfcn.h>
#include <kcf/provider.h>
#include <stdio.h>
#include <string.h>

static void print_row(const struct kcf_mech_row *row)
{
	printf("%s %u %u %s\n", row->name, row->key_min_bits, row->key_max_bits,
	       row->flags & KCF_ROW_LEGACY ? "legacy" : "-");
}

int main(int argc, char **argv)
{
	bool rows = argc == 3 && !strcmp(argv[1], "--rows");
	const struct kcf_provider_desc *desc;
	void *module;

	if (argc != 2 && !rows) {
		fprintf(stderr, "usage: %s [--rows] MODULE\n", argv[0]);
		return 2;
	}
	module = dlopen(argv[argc - 1], RTLD_NOW | RTLD_LOCAL);
	desc = module ? dlsym(module, KCF_PROVIDER_SYMBOL) : NULL;
	if (!desc) {
		fprintf(stderr, "%s: %s\n", argv[0], dlerror());
		return 1;
	}
	if (!rows)
		printf("# SPDX-License-Identifier: Apache-2.0\n");
	for (uint32_t i = 0; i < desc->n_rows && !(desc->flags & KCF_DESC_TEST_ONLY); i++) {
		if (rows)
			print_row(&desc->rows[i]);
		else
			printf("%s\n", desc->rows[i].name);
	}
	return 0;
}
