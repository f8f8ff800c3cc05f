/* XXH3 of libxxhash, compiled in for the vectors that the processor has. Only SpliceCore imports this. */
#ifndef SPLICE_CDIGEST_H
#define SPLICE_CDIGEST_H

#include <stddef.h>
#include <stdint.h>

struct csplice_digest {
    uint64_t high, low;
};

/* A running XXH3-128. NULL when there is no memory. */
void *csplice_hasher_create(void);
void csplice_hasher_free(void *hasher);
void csplice_hasher_reset(void *hasher);
void csplice_hasher_update(void *hasher, const void *bytes, size_t count);
/* Of everything since the last reset; the state is unchanged. */
void csplice_hasher_digest(const void *hasher, struct csplice_digest *out);

void csplice_digest(const void *bytes, size_t count, struct csplice_digest *out);
uint64_t csplice_check(const void *bytes, size_t count, uint64_t seed);

#endif
