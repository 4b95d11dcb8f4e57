/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-seeds DIR - valid inputs for each target, one folder each, so that none has to be kept as a file. */
#include "fuzz.h"
#include "../unit/wire-random.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define PER_TYPE 6

static uint8_t buf[2 * FRAME_MESSAGE_MAX];

static void make_dir(const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		perror(path);
		exit(1);
	}
}

static void save(const char *dir, const char *target, unsigned type, int i, size_t len)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, target);
	make_dir(path);
	snprintf(path, sizeof(path), "%s/%s/%s-%d", dir, target, frame_type_name(type), i);
	f = fopen(path, "wb");
	if (!f || fwrite(buf, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static struct random rnd;
	struct wire_msg msg;

	if (argc != 2) {
		fprintf(stderr, "usage: fuzz-seeds DIR\n");
		return 2;
	}
	make_dir(argv[1]);
	random_init(&rnd, 7);
	for (unsigned type = 1; type < FRAME_TYPE_COUNT; type++) {
		for (int i = 0; i < PER_TYPE; i++) {
			size_t len;

			random_msg(&rnd, type, &msg);
			buf[0] = (uint8_t)type;
			len = codec_encode(&msg, buf + 1, FRAME_MESSAGE_MAX);
			save(argv[1], "fuzz-codec", type, i, 1 + len);
			len = codec_encode_frame(&msg, random_u64(&rnd), 0, 3, buf, sizeof(buf));
			memcpy(buf + len, "abc", 3);
			save(argv[1], "fuzz-frame", type, i, len + 3);
		}
	}
	return 0;
}
