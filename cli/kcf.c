/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kcf - cryptography on files, in this process or through kcfd. The living example of the client
 * API: stream.c shows how to keep several requests in flight, cmd-*.c one operation each.
 */
#include "kcf.h"

#include "tool.h"

static const struct tool_command commands[] = {
	{"digest", "hash files", cmd_digest},
	{"mac", "authenticate files with a secret key", cmd_mac},
	{"encrypt", "encrypt a file", cmd_encrypt},
	{"decrypt", "decrypt a file", cmd_decrypt},
	{"sign", "sign a file with a private key", cmd_sign},
	{"verify", "check a file's signature", cmd_verify},
	{"random", "random bytes", cmd_random},
	{"key", "make, convert and publish keys", cmd_key},
	{"list", "mechanisms that are offered", cmd_list},
	{0},
};

static const char intro[] =
	"Usage: kcf COMMAND [OPTION]... [WORD]...\n\n"
	"Cryptography on files of any size, with the mechanisms kcf offers. The work is done in\n"
	"this process; with --async through kcfd, and with --key NAME by a key that never leaves\n"
	"kcfd. Results are the same as the openssl command's.\n";

static const char outro[] =
	"kcf COMMAND --help tells a command's options.\n"
	"Mechanisms have PKCS#11 names (CKM_SHA256) or those of the openssl command (sha256,\n"
	"aes-256-gcm, hmac-sha256, ecdsa-sha256, ed25519).\n"
	"Exit codes: 0 done, 1 failed or does not verify, 2 usage, 3 kcfd is not running,\n"
	"4 no such file, key or mechanism, 5 denied.\n";

int main(int argc, char **argv)
{
	return tool_main(argc, argv, commands, intro, outro);
}
