/* XXH3 of libxxhash, compiled in for the vectors that the processor has, and MD5 of libmd. Only SpliceCore imports
   this. */
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

#define CSPLICE_MD5_SIZE 16

/* A running MD5. NULL when there is no memory. */
void *csplice_md5_create(void);
void csplice_md5_free(void *md5);
void csplice_md5_update(void *md5, const void *bytes, size_t count);
/* Of everything so far; the running state is unchanged. */
void csplice_md5_digest(const void *md5, uint8_t out[CSPLICE_MD5_SIZE]);
/* The chaining value: all that there is to know behind a multiple of 64 bytes. */
void csplice_md5_get_state(const void *md5, uint8_t out[CSPLICE_MD5_SIZE]);
void csplice_md5_set_state(void *md5, const uint8_t state[CSPLICE_MD5_SIZE], uint64_t count);

#endif
