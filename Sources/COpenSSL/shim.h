#pragma once
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/// A MAC context set to HMAC-SHA-256, without a key yet; NULL when out of memory.
static inline EVP_MAC_CTX *cs_hmac_sha256_new(EVP_MAC *mac) {
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    if (context != NULL && EVP_MAC_CTX_set_params(context, parameters) != 1) {
        EVP_MAC_CTX_free(context);
        return NULL;
    }
    return context;
}

/// HKDF with SHA-256 and no salt; 1 when `out` holds `count` bytes.
static inline int cs_hkdf_sha256(EVP_KDF *kdf, const unsigned char *key, size_t key_count,
                                 const unsigned char *info, size_t info_count, unsigned char *out, size_t count) {
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key, key_count),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_count),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    if (context == NULL) return 0;
    int derived = EVP_KDF_derive(context, out, count, parameters);
    EVP_KDF_CTX_free(context);
    return derived;
}

/// Makes the process's memory unreadable for others of its user and ends core files; 0 when both hold.
static inline int cs_hide_memory(void) {
    struct rlimit none = {0, 0};
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0 ? 0 : -1;
}

/// 1 when neither a debugger of the same user nor a core file can see the memory.
static inline int cs_memory_is_hidden(void) {
    struct rlimit limit;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0;
}
