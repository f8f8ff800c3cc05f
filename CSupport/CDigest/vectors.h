/* One set of functions for each kind of vectors, made by including this with SPLICE_VECTORS set to its name. */
#include "include/CDigest.h"

/* The library as source: its shared form has the vectors of the oldest processor of its architecture only. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#if XXH_VERSION_NUMBER < 800
#error "Splice needs libxxhash 0.8.0 or newer, the first with a stable XXH3 (Debian 12: libxxhash-dev)"
#endif

#include "digests.h"

#define SPLICE_JOIN_(a, b) a##_##b
#define SPLICE_JOIN(a, b) SPLICE_JOIN_(a, b)

static void vectors_update(void *hasher, const void *bytes, size_t count)
{
    XXH3_128bits_update(hasher, bytes, count);
}

static void vectors_finish(const void *hasher, struct csplice_digest *out)
{
    XXH128_hash_t hash = XXH3_128bits_digest(hasher);
    out->high = hash.high64;
    out->low = hash.low64;
}

static void vectors_digest(const void *bytes, size_t count, struct csplice_digest *out)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, count);
    out->high = hash.high64;
    out->low = hash.low64;
}

const struct digests SPLICE_JOIN(digests, SPLICE_VECTORS) = {vectors_update, vectors_finish, vectors_digest};
