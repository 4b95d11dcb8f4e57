/* SPDX-License-Identifier: Apache-2.0 */
/* kcf - the commands of the kcf tool; one file each. argv[0] is the command's name; they return an
 * exit code. */
#pragma once

int cmd_digest(int argc, char **argv);
int cmd_mac(int argc, char **argv);
int cmd_encrypt(int argc, char **argv);
int cmd_decrypt(int argc, char **argv);
int cmd_sign(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_random(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_list(int argc, char **argv);
