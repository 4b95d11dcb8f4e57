/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two encodings of a pair of integers (ECDSA and DSA signatures): r||s, each width bytes
 * big-endian, and DER SEQUENCE { INTEGER r, INTEGER s }. Thread: any; no state.
 */
#ifndef KCF_OPENSSL_SIGN_H
#define KCF_OPENSSL_SIGN_H

#include "openssl-private.h"

#define OPENSSL_SIG_WIDTH_MAX 66 /* P-521 */
#define OPENSSL_SIG_RS_MAX    (2 * OPENSSL_SIG_WIDTH_MAX)
#define OPENSSL_SIG_DER_MAX   (2 * (OPENSSL_SIG_WIDTH_MAX + 3) + 3)

/* The longest DER encoding for integers of width bytes. */
size_t openssl_sig_der_max(unsigned width);
/* der: room for openssl_sig_der_max(width). Returns the length. */
size_t openssl_sig_to_der(const uint8_t *rs, unsigned width, uint8_t *der);
/* Strict DER, the whole input, both integers positive and of at most width bytes. */
bool openssl_sig_from_der(const uint8_t *der, size_t len, unsigned width, uint8_t *rs);

#endif
