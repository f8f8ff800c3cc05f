/* Digests with the vectors that every processor of the architecture has, and the choice of better ones. */
#define SPLICE_VECTORS plain
#include "vectors.h"

static const struct digests *chosen = &digests_plain;

/* Before main, so before any thread. */
__attribute__((constructor)) static void choose(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        chosen = &digests_avx512;
    else if (__builtin_cpu_supports("avx2"))
        chosen = &digests_avx2;
#endif
}

void *csplice_hasher_create(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (state)
        XXH3_128bits_reset(state);
    return state;
}

void csplice_hasher_free(void *hasher)
{
    XXH3_freeState(hasher);
}

void csplice_hasher_reset(void *hasher)
{
    XXH3_128bits_reset(hasher);
}

void csplice_hasher_update(void *hasher, const void *bytes, size_t count)
{
    chosen->update(hasher, bytes, count);
}

void csplice_hasher_digest(const void *hasher, struct csplice_digest *out)
{
    chosen->finish(hasher, out);
}

void csplice_digest(const void *bytes, size_t count, struct csplice_digest *out)
{
    chosen->digest(bytes, count, out);
}

/* A few dozen bytes at a time: no vectors are worth a call through a pointer. */
uint64_t csplice_check(const void *bytes, size_t count, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, count, seed);
}
