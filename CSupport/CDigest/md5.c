/* MD5 of libmd, whose state can be read and set, so that it can be kept: see docs/qt.md. */
#include "CDigest.h"

#include <md5.h>
#include <stdlib.h>
#include <string.h>

void *csplice_md5_create(void)
{
    MD5_CTX *md5 = malloc(sizeof(*md5));
    if (md5)
        MD5Init(md5);
    return md5;
}

void csplice_md5_free(void *md5)
{
    free(md5);
}

void csplice_md5_update(void *md5, const void *bytes, size_t count)
{
    MD5Update(md5, bytes, count);
}

void csplice_md5_digest(const void *md5, uint8_t out[CSPLICE_MD5_SIZE])
{
    MD5_CTX copy = *(const MD5_CTX *)md5;
    MD5Final(out, &copy);
}

void csplice_md5_get_state(const void *md5, uint8_t out[CSPLICE_MD5_SIZE])
{
    const MD5_CTX *context = md5;
    for (int i = 0; i < CSPLICE_MD5_SIZE; i++)
        out[i] = (uint8_t)(context->state[i / 4] >> 8 * (i % 4));
}

void csplice_md5_set_state(void *md5, const uint8_t state[CSPLICE_MD5_SIZE], uint64_t count)
{
    MD5_CTX *context = md5;
    memset(context, 0, sizeof(*context));
    for (int i = 0; i < CSPLICE_MD5_SIZE; i++)
        context->state[i / 4] |= (uint32_t)state[i] << 8 * (i % 4);
    context->count = 8 * count; /* libmd counts bits. */
}
