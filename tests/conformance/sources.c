/* SPDX-License-Identifier: Apache-2.0 */
/* sources: the files of Debian's python3-cryptography-vectors that speak of what kcf knows. */
#include "source.h"

#define HASH(dir, file, mech)                                                                      \
	{"hashes/" dir "/" file "ShortMsg.rsp", mech, parse_digest, 0},                            \
	{                                                                                          \
		"hashes/" dir "/" file "LongMsg.rsp", mech, parse_digest, 0                        \
	}
#define XOF(file, mech)                                                                            \
	{"hashes/SHAKE/" file "ShortMsg.rsp", mech, parse_xof, 0},                                 \
		{"hashes/SHAKE/" file "LongMsg.rsp", mech, parse_xof, 0},                          \
	{                                                                                          \
		"hashes/SHAKE/" file "VariableOut.rsp", mech, parse_xof, 0                         \
	}
#define HMAC(file, mech)                                                                           \
	{                                                                                          \
		"HMAC/" file ".txt", mech, parse_mac, 0                                            \
	}
#define AES(pattern, mech)                                                                         \
	{                                                                                          \
		"ciphers/AES/" pattern ".rsp", mech, parse_cipher, 0                               \
	}

const struct source sources[] = {
	HASH("SHA1", "SHA1", "CKM_SHA_1"),
	HASH("SHA2", "SHA224", "CKM_SHA224"),
	HASH("SHA2", "SHA256", "CKM_SHA256"),
	HASH("SHA2", "SHA384", "CKM_SHA384"),
	HASH("SHA2", "SHA512", "CKM_SHA512"),
	HASH("SHA2", "SHA512_224", "CKM_SHA512_224"),
	HASH("SHA2", "SHA512_256", "CKM_SHA512_256"),
	HASH("SHA3", "SHA3_224", "CKM_SHA3_224"),
	HASH("SHA3", "SHA3_256", "CKM_SHA3_256"),
	HASH("SHA3", "SHA3_384", "CKM_SHA3_384"),
	HASH("SHA3", "SHA3_512", "CKM_SHA3_512"),
	XOF("SHAKE128", "KCF_SHAKE128"),
	XOF("SHAKE256", "KCF_SHAKE256"),
	{"hashes/blake2/blake2b.txt", "CKM_BLAKE2B_512", parse_digest, 0},
	{"hashes/blake2/blake2s.txt", "KCF_BLAKE2S-256", parse_digest, 0},
	{"hashes/SM3/oscca.txt", "KCF_SM3", parse_digest, 0},
	{"hashes/MD5/rfc-1321.txt", "CKM_MD5", parse_digest, 0},
	HMAC("rfc-2202-sha1", "CKM_SHA_1_HMAC"),
	HMAC("rfc-4231-sha224", "CKM_SHA224_HMAC"),
	HMAC("rfc-4231-sha256", "CKM_SHA256_HMAC"),
	HMAC("rfc-4231-sha384", "CKM_SHA384_HMAC"),
	HMAC("rfc-4231-sha512", "CKM_SHA512_HMAC"),
	HMAC("rfc-2202-md5", "CKM_MD5_HMAC"),
	{"CMAC/nist-800-38b-aes*.txt", "CKM_AES_CMAC", parse_mac, 0},
	{"CMAC/nist-800-38b-3des.txt", "CKM_DES3_CMAC", parse_mac, 0},
	{"poly1305/rfc7539.txt", "CKM_POLY1305", parse_mac, 0},
	AES("ECB/ECB*", "CKM_AES_ECB"),
	AES("CBC/CBC*", "CKM_AES_CBC"),
	AES("CFB/CFB128*", "CKM_AES_CFB128"),
	AES("CFB/CFB8*", "CKM_AES_CFB8"),
	AES("OFB/OFB*", "CKM_AES_OFB"),
	{"ciphers/AES/CTR/aes-*-ctr.txt", "CKM_AES_CTR", parse_cipher, 0},
	{"ciphers/AES/XTS/*/XTSGenAES*.rsp", "CKM_AES_XTS", parse_xts, 0},
	{"ciphers/ChaCha20/rfc7539.txt", "CKM_CHACHA20", parse_chacha20, 0},
	{"ciphers/Camellia/camellia-*-ecb.txt", "CKM_CAMELLIA_ECB", parse_camellia_ecb, 0},
	{"ciphers/Camellia/camellia-cbc.txt", "CKM_CAMELLIA_CBC", parse_cipher, 0},
	{"ciphers/SM4/*-ecb.txt", "KCF_SM4-ECB", parse_cipher, 0},
	{"ciphers/SM4/*-cbc.txt", "KCF_SM4-CBC", parse_cipher, 0},
	{"ciphers/SM4/*-ctr.txt", "KCF_SM4-CTR", parse_cipher, 0},
	/* the files with an I in this place are interleaved */
	{"ciphers/3DES/CBC/TCBC[Mipsv]*.rsp", "CKM_DES3_CBC", parse_cipher, 0},
	{"ciphers/3DES/ECB/TECB[Mipsv]*.rsp", "CKM_DES3_ECB", parse_cipher, 0},
	{"keywrap/kwtestvectors/KW_A[DE]_???.txt", "CKM_AES_KEY_WRAP", parse_key_wrap, 0},
	{"keywrap/kwtestvectors/KWP_A[DE]_???.txt", "CKM_AES_KEY_WRAP_KWP", parse_key_wrap, 0},
	{"ciphers/AES/GCM/gcm*.rsp", "CKM_AES_GCM", parse_gcm, 0},
	{"ciphers/AES/CCM/*.rsp", "CKM_AES_CCM", parse_ccm, 0},
	{"ciphers/AES/OCB3/*.txt", "KCF_AES-OCB", parse_aead, 0},
	{"ciphers/ChaCha20Poly1305/*.txt", "CKM_CHACHA20_POLY1305", parse_aead, 0},
	{"KDF/rfc-5869-HKDF-SHA*.txt", "CKM_HKDF_DERIVE", parse_hkdf, 0},
	{"KDF/hkdf-generated.txt", "CKM_HKDF_DERIVE", parse_hkdf, 0},
	{"KDF/rfc-6070-PBKDF2-SHA1.txt", "CKM_PKCS5_PBKD2", parse_pbkdf2, KCF_M_SHA_1},
	{"KDF/scrypt.txt", "KCF_SCRYPT", parse_scrypt, 0},
	{"KDF/nist-800-108-KBKDF-CTR.txt", "CKM_SP800_108_COUNTER_KDF", parse_kbkdf, 0},
	{"asymmetric/Ed25519/sign.input", "CKM_EDDSA", parse_ed25519, 0},
	{"asymmetric/Ed448/rfc8032.txt", "CKM_EDDSA", parse_eddsa, 0},
	{"asymmetric/X25519/rfc7748.txt", "CKM_ECDH1_DERIVE", parse_xdh, 0},
	{"asymmetric/X448/rfc7748.txt", "CKM_ECDH1_DERIVE", parse_xdh, 0},
	{"asymmetric/ECDH/*_NOKC_ZZOnly_*.fax", "CKM_ECDH1_DERIVE", parse_ecdh, 0},
	{"asymmetric/ECDSA/FIPS_186-3/Sig*.*", NULL, parse_ecdsa, 0},
	{"asymmetric/ECDSA/FIPS_186-2/SigVer.rsp", "CKM_ECDSA", parse_ecdsa, KCF_M_SHA_1},
	{"asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp", NULL, parse_rsa_sigver, 0},
	{"asymmetric/RSA/FIPS_186-2/SigVerPSS_186-3.rsp", NULL, parse_rsa_sigver, 0},
	{"asymmetric/RSA/FIPS_186-2/SigGen15_186-2.txt", NULL, parse_rsa_sigver, 0},
	{"asymmetric/RSA/FIPS_186-2/SigGen15_186-3.rsp", NULL, parse_rsa_sigver, 0},
	{"asymmetric/RSA/FIPS_186-2/SigGenPSS_186-2.txt", NULL, parse_rsa_sigver, 0},
	{"asymmetric/RSA/FIPS_186-2/SigGenPSS_186-3.rsp", "CKM_RSA_PKCS_PSS", parse_rsa_sigver, 0},
	{"asymmetric/RSA/SigVer15EMTest.txt", NULL, parse_rsa_sigver, 0},
	{"asymmetric/RSA/pkcs1v15sign-vectors.txt", "CKM_SHA1_RSA_PKCS", parse_rsa_pkcs1, 0},
	{"asymmetric/RSA/pkcs1v15crypt-vectors.txt", "CKM_RSA_PKCS", parse_rsa_pkcs1, 0},
	{"asymmetric/RSA/pkcs-1v2-1d2-vec/oaep-vect.txt", "CKM_RSA_PKCS_OAEP", parse_rsa_pkcs1, 0},
	{"asymmetric/RSA/pkcs-1v2-1d2-vec/pss-vect.txt", "CKM_SHA1_RSA_PKCS_PSS", parse_rsa_pkcs1,
	 0},
	{"asymmetric/RSA/oaep-custom/oaep-*.txt", "CKM_RSA_PKCS_OAEP", parse_rsa_pkcs1, 0},
	{"asymmetric/DSA/FIPS_186-3/SigVer.rsp", NULL, parse_dsa, 0},
	{"asymmetric/DSA/FIPS_186-2/SigVer.rsp", "CKM_DSA", parse_dsa, KCF_M_SHA_1},
	{"asymmetric/DH/RFC5114.txt", "CKM_DH_PKCS_DERIVE", parse_dh, 0},
	{"asymmetric/DH/KASValidityTest_*.fax", "CKM_DH_PKCS_DERIVE", parse_dh, 0},
	{NULL, NULL, NULL, 0},
};
