/* The names in a directory, read by a stream that shares no position with the directory's descriptor. */
#include "paths.h"

#include <dirent.h>
#include <unistd.h>

int csplice_entries_open(int directory, void **out)
{
    int fd;
    do
        fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int failure = -errno;
        close(fd);
        return failure;
    }
    *out = stream;
    return 0;
}

int csplice_entries_next(void *stream, struct csplice_entry *out)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        out->name = (const uint8_t *)entry->d_name;
        out->count = strlen(entry->d_name);
        out->kind = entry->d_type == DT_REG       ? CSPLICE_KIND_REGULAR
                    : entry->d_type == DT_DIR     ? CSPLICE_KIND_DIRECTORY
                    : entry->d_type == DT_LNK     ? CSPLICE_KIND_LINK
                    : entry->d_type == DT_UNKNOWN ? CSPLICE_KIND_UNKNOWN
                                                  : CSPLICE_KIND_OTHER;
        return 1;
    }
}

void csplice_entries_close(void *stream)
{
    closedir(stream);
}
