/* For this folder only: a path of counted bytes as the terminated text that the kernel wants. */
#ifndef SPLICE_CPLATFORM_PATHS_H
#define SPLICE_CPLATFORM_PATHS_H

#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* An empty path is ".". A NUL byte inside would silently name another file: refused. */
static inline int csplice_copy_path(char into[PATH_MAX], const uint8_t *path, size_t count)
{
    if (count == 0) {
        into[0] = '.';
        into[1] = 0;
        return 0;
    }
    if (count >= PATH_MAX)
        return -ENAMETOOLONG;
    if (memchr(path, 0, count))
        return -EINVAL;
    memcpy(into, path, count);
    into[count] = 0;
    return 0;
}

#endif
