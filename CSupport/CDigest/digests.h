/* What differs from one kind of vectors to another. */
#ifndef SPLICE_DIGESTS_H
#define SPLICE_DIGESTS_H

#include "include/CDigest.h"

struct digests {
    void (*update)(void *hasher, const void *bytes, size_t count);
    void (*finish)(const void *hasher, struct csplice_digest *out);
    void (*digest)(const void *bytes, size_t count, struct csplice_digest *out);
};

extern const struct digests digests_plain;
#ifdef __x86_64__
extern const struct digests digests_avx2;
extern const struct digests digests_avx512;
#endif

#endif
