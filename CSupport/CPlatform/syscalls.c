/* Files and directories: each call once, with its errno as a negative result. */
#include "paths.h"

#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8, "offsets are 64 bits");
_Static_assert(sizeof(struct csplice_piece) == sizeof(struct iovec), "a piece is an iovec");
_Static_assert(offsetof(struct csplice_piece, base) == offsetof(struct iovec, iov_base), "iovec");
_Static_assert(offsetof(struct csplice_piece, count) == offsetof(struct iovec, iov_len), "iovec");

/* openat2 says EAGAIN when a rename or mount raced with it anywhere in the system. */
enum { RACE_RETRIES_MAX = 64 };

static int open_plain(int directory, const char *path, int flags, mode_t permissions)
{
    int fd;
    do
        fd = openat(directory, path, flags, permissions);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/*
 * What openat2 does for us where the kernel has none (before 5.6, or under a filter that denies it), and
 * stricter: no symbolic link and no ".." at all, because neither can be followed without a race.
 */
static int open_by_walking(int directory, char *path, int flags, mode_t permissions)
{
    if (path[0] == '/')
        return -EXDEV;
    int at = directory;
    int result;
    char *rest = path;
    for (;;) {
        while (*rest == '/')
            rest++;
        char *end = rest;
        while (*end && *end != '/')
            end++;
        char *next = end;
        int slashed = *end == '/';
        while (*next == '/')
            next++;
        *end = 0;
        const char *component = *rest ? rest : ".";
        if (strcmp(component, "..") == 0) {
            result = -EXDEV;
            break;
        }
        if (next == end || !*next) { /* the last one */
            if (slashed)
                flags |= O_DIRECTORY;
            if (slashed && (flags & O_CREAT)) {
                result = -EISDIR;
                break;
            }
            result = open_plain(at, component, flags | O_NOFOLLOW, permissions);
            if (result >= 0 && (flags & O_PATH) && !(flags & O_NOFOLLOW)) {
                /* O_PATH with O_NOFOLLOW opens a link itself, which was not asked for. */
                struct stat status;
                if (fstat(result, &status) == 0 && S_ISLNK(status.st_mode)) {
                    close(result);
                    result = -ELOOP;
                }
            }
            break;
        }
        result = open_plain(at, component, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        if (result < 0)
            break;
        if (at != directory)
            close(at);
        at = result;
        rest = next;
    }
    if (at != directory)
        close(at);
    return result;
}

static int open_resolved(int directory, int resolve, char *path, int flags, mode_t permissions)
{
    if (directory == CSPLICE_CURRENT_DIRECTORY)
        directory = AT_FDCWD;
    if (resolve == CSPLICE_ANYWHERE)
        return open_plain(directory, path, flags, permissions);
    if (resolve == CSPLICE_BENEATH_NO_LINKS)
        return open_by_walking(directory, path, flags, permissions);
    struct open_how how = {
        .flags = (uint64_t)flags,
        .mode = flags & O_CREAT ? permissions : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    for (int races = 0;;) {
        long fd = syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN && ++races < RACE_RETRIES_MAX)
            continue;
        /* Filters of older container engines answer EPERM for a call they do not know. The walk gives the
         * true EPERM of an immutable file again, so trying it loses nothing. */
        if (errno == ENOSYS || errno == EPERM)
            return open_by_walking(directory, path, flags, permissions);
        return -errno;
    }
}

int csplice_open(int directory, int resolve, const uint8_t *path, size_t count, int mode,
                 uint32_t permissions)
{
    char text[PATH_MAX];
    int refused = csplice_copy_path(text, path, count);
    if (refused)
        return refused;
    int flags = O_CLOEXEC | O_NOCTTY;
    switch (mode) {
    case CSPLICE_OPEN_READ:
        flags |= O_RDONLY | O_NONBLOCK; /* a FIFO without a writer must not hang us */
        break;
    case CSPLICE_OPEN_READ_WRITE:
        flags |= O_RDWR | O_NOFOLLOW | O_NONBLOCK;
        break;
    case CSPLICE_OPEN_CREATE:
        flags |= O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
        break;
    case CSPLICE_OPEN_CREATE_NEW:
        flags |= O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
        break;
    default:
        flags = O_CLOEXEC | O_RDONLY | O_DIRECTORY;
        break;
    }
    return open_resolved(directory, resolve, text, flags, (mode_t)(permissions & 07777));
}

/* A policy has refused a file its first name. */
static atomic_int is_link_refused;

/* Those of which it is known what a first name costs: ZFS waits for the disk at each. */
int csplice_suits_nameless(int directory)
{
    struct statfs status;
    if (fstatfs(directory, &status) < 0)
        return 0;
    return status.f_type == EXT4_SUPER_MAGIC || status.f_type == XFS_SUPER_MAGIC || status.f_type == BTRFS_SUPER_MAGIC ||
           status.f_type == F2FS_SUPER_MAGIC || status.f_type == TMPFS_MAGIC;
}

int csplice_open_nameless(int directory, uint32_t permissions)
{
    /* Asked once. Without /proc a process like this one could name such a file only since Linux 6.10. */
    static atomic_int has_proc = -1;
    if (has_proc < 0)
        has_proc = access("/proc/self/fd", X_OK) == 0;
    if (!has_proc || is_link_refused)
        return -EOPNOTSUPP;
    int fd = open_plain(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, (mode_t)(permissions & 07777));
    /* What a kernel says that does not know the flag. */
    return fd == -EISDIR ? -EOPNOTSUPP : fd;
}

int csplice_link(int fd, int directory, const uint8_t *name, size_t count)
{
    char text[PATH_MAX], in_proc[sizeof "/proc/self/fd/2147483647"];
    int refused = csplice_copy_path(text, name, count);
    if (refused)
        return refused;
    int result;
    do
        result = linkat(fd, "", directory, text, AT_EMPTY_PATH);
    while (result < 0 && errno == EINTR);
    if (result < 0 && errno == ENOENT) { /* Before Linux 6.10 that takes a capability. */
        snprintf(in_proc, sizeof in_proc, "/proc/self/fd/%d", fd);
        do
            result = linkat(AT_FDCWD, in_proc, directory, text, AT_SYMLINK_FOLLOW);
        while (result < 0 && errno == EINTR);
    }
    if (result == 0)
        return 0;
    int error = errno;
    /* Where names can be made, but not so. */
    int is_refused = error == EPERM || error == EACCES || error == ENOSYS || error == EOPNOTSUPP;
    if (!is_refused || faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) < 0)
        return -error;
    is_link_refused = 1;
    return -ESTALE;
}

static void describe(const struct stat *from, struct csplice_status *out)
{
    out->device = from->st_dev;
    out->inode = from->st_ino;
    out->size = (uint64_t)from->st_size;
    out->link_count = from->st_nlink;
    out->modified_seconds = from->st_mtim.tv_sec;
    out->modified_nanoseconds = (uint32_t)from->st_mtim.tv_nsec;
    out->changed_seconds = from->st_ctim.tv_sec;
    out->changed_nanoseconds = (uint32_t)from->st_ctim.tv_nsec;
    out->permissions = from->st_mode & 07777;
    out->kind = S_ISREG(from->st_mode)   ? CSPLICE_KIND_REGULAR
                : S_ISDIR(from->st_mode) ? CSPLICE_KIND_DIRECTORY
                : S_ISLNK(from->st_mode) ? CSPLICE_KIND_LINK
                                         : CSPLICE_KIND_OTHER;
}

int csplice_status(int fd, struct csplice_status *out)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    describe(&status, out);
    return 0;
}

int csplice_status_at(int directory, int resolve, const uint8_t *path, size_t count, int follow_links,
                      struct csplice_status *out)
{
    char text[PATH_MAX];
    int refused = csplice_copy_path(text, path, count);
    if (refused)
        return refused;
    /* A name without a slash leads nowhere but to itself. */
    if (!follow_links && directory != CSPLICE_CURRENT_DIRECTORY && *text && !strchr(text, '/') &&
        strcmp(text, "..") != 0) {
        struct stat status;
        if (fstatat(directory, text, &status, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        describe(&status, out);
        return 0;
    }
    /* By a descriptor that only names the file, because no stat call knows RESOLVE_BENEATH. */
    int flags = O_PATH | O_CLOEXEC | (follow_links ? 0 : O_NOFOLLOW);
    int fd = open_resolved(directory, resolve, text, flags, 0);
    if (fd < 0)
        return fd;
    int result = csplice_status(fd, out);
    close(fd);
    return result;
}

void csplice_close(int fd)
{
    /* Not retried after EINTR: Linux has released the number by then, and another thread may have it. */
    (void)close(fd);
}

int csplice_make_directory(int directory, const uint8_t *name, size_t count, uint32_t permissions)
{
    char text[PATH_MAX];
    int refused = csplice_copy_path(text, name, count);
    if (refused)
        return refused;
    int result;
    do
        result = mkdirat(directory, text, (mode_t)(permissions & 07777));
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int csplice_rename(int from, const uint8_t *name, size_t count, int to, const uint8_t *new_name,
                   size_t new_count, int replacing)
{
    char old_text[PATH_MAX], new_text[PATH_MAX];
    int refused = csplice_copy_path(old_text, name, count);
    if (!refused)
        refused = csplice_copy_path(new_text, new_name, new_count);
    if (refused)
        return refused;
    long result;
    do
        result = syscall(SYS_renameat2, from, old_text, to, new_text, replacing ? 0 : RENAME_NOREPLACE);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (replacing || (errno != EINVAL && errno != ENOSYS))
        return -errno;
    /* NFS and others know no RENAME_NOREPLACE; a link refuses an existing name just as atomically. */
    do
        result = linkat(from, old_text, to, new_text, 0);
    while (result < 0 && errno == EINTR);
    if (result < 0)
        return -errno;
    return csplice_remove(from, name, count, 0);
}

int csplice_remove(int directory, const uint8_t *name, size_t count, int is_directory)
{
    char text[PATH_MAX];
    int refused = csplice_copy_path(text, name, count);
    if (refused)
        return refused;
    int result;
    do
        result = unlinkat(directory, text, is_directory ? AT_REMOVEDIR : 0);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int csplice_free_space(int fd, uint64_t *out)
{
    struct statvfs status;
    int result;
    do
        result = fstatvfs(fd, &status);
    while (result < 0 && errno == EINTR);
    if (result < 0)
        return -errno;
    /* Without a size a file system has as much as there is memory, or cannot tell. */
    *out = status.f_blocks == 0 ? UINT64_MAX : (uint64_t)status.f_bavail * (uint64_t)status.f_frsize;
    return 0;
}

int64_t csplice_read_at(int fd, void *into, size_t count, uint64_t offset)
{
    ssize_t got;
    do
        got = pread(fd, into, count, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int csplice_write_all_at(int fd, struct csplice_piece *pieces, size_t count, uint64_t offset)
{
    while (count > 0) {
        if (pieces->count == 0) {
            pieces++;
            count--;
            continue;
        }
        ssize_t written = pwritev(fd, (const struct iovec *)(const void *)pieces, (int)count, (off_t)offset);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (written == 0)
            return -EIO; /* no progress and no reason given: never spin on it */
        offset += (uint64_t)written;
        size_t left = (size_t)written;
        while (count > 0 && left >= pieces->count) {
            left -= pieces->count;
            pieces++;
            count--;
        }
        if (left > 0) {
            pieces->base = (const char *)pieces->base + left;
            pieces->count -= left;
        }
    }
    return 0;
}

/* Others take the flag and copy all the same, or write each time as if it were a sync. */
int csplice_writes_uncached(int fd)
{
    struct statfs status;
    if (fstatfs(fd, &status) < 0)
        return 0;
    return status.f_type == EXT4_SUPER_MAGIC || status.f_type == XFS_SUPER_MAGIC || status.f_type == F2FS_SUPER_MAGIC;
}

int csplice_write_uncached_at(int fd, const void *base, size_t count, uint64_t offset)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) < 0)
        return 1;
    struct csplice_piece piece = {base, count};
    int result = csplice_write_all_at(fd, &piece, 1, offset);
    if (fcntl(fd, F_SETFL, flags) < 0)
        return -errno;
    return result == -EINVAL || result == -EOPNOTSUPP ? 1 : result;
}

int csplice_sync(int fd)
{
    int result;
    do
        result = fsync(fd);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int csplice_sync_data(int fd)
{
    int result;
    do
        result = fdatasync(fd);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

void csplice_start_writeback(int fd, uint64_t offset, uint64_t count)
{
    sync_file_range(fd, (off_t)offset, (off_t)count, SYNC_FILE_RANGE_WRITE);
}

int csplice_wait_for_writeback(int fd, uint64_t offset, uint64_t count)
{
    int result;
    do
        result = sync_file_range(fd, (off_t)offset, (off_t)count, SYNC_FILE_RANGE_WAIT_BEFORE);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int csplice_check_writable(int directory)
{
    return faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int csplice_sync_file_system(int fd)
{
    int result;
    do
        result = syncfs(fd);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int csplice_truncate(int fd, uint64_t size)
{
    int result;
    do
        result = ftruncate(fd, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int csplice_reserve(int fd, uint64_t offset, uint64_t count)
{
    if (count == 0)
        return 1;
    int result;
    do
        result = fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)count);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 1;
    return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
}

int64_t csplice_copy_range(int from, int to, uint64_t offset, uint64_t count)
{
    uint64_t done = 0;
    while (done < count) {
        off_t in = (off_t)(offset + done), out = in;
        uint64_t left = count - done;
        ssize_t step = copy_file_range(from, &in, to, &out, left < (1 << 30) ? (size_t)left : 1 << 30, 0);
        if (step < 0 && errno == EINTR)
            continue;
        if (step < 0 && errno != ENOSYS && errno != EOPNOTSUPP && errno != EXDEV && errno != EINVAL)
            return -errno;
        if (step <= 0)
            break;
        done += (uint64_t)step;
    }
    return (int64_t)done;
}

int csplice_set_modified(int fd, int64_t seconds, uint32_t nanoseconds)
{
    struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)seconds, .tv_nsec = (long)nanoseconds},
    };
    return futimens(fd, times) < 0 ? -errno : 0;
}

int csplice_set_permissions(int fd, uint32_t permissions)
{
    int result;
    do
        result = fchmod(fd, (mode_t)(permissions & 07777));
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

void csplice_will_need(int fd, uint64_t offset, uint64_t count)
{
    (void)posix_fadvise(fd, (off_t)offset, (off_t)count, POSIX_FADV_WILLNEED);
}

/* cachestat(2) is newer than the libraries of most systems. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

/* Pages are asked for in steps of this many bytes; the kernel reads ahead at least as far. */
enum { PROBE_STEP = 64 << 10 };

/* Before Linux 6.5: reads a byte here and there, if that needs no waiting. */
static int is_readable_at_once(int fd, uint64_t offset, uint64_t count)
{
    for (uint64_t done = 0; done < count; done += PROBE_STEP) {
        char byte;
        struct iovec piece = {&byte, 1};
        if (preadv2(fd, &piece, 1, (off_t)(offset + done), RWF_NOWAIT) != 1)
            return 0;
    }
    return 1;
}

int csplice_is_cached(int fd, uint64_t offset, uint64_t count)
{
    struct {
        uint64_t offset, count;
    } range = {offset, count};
    struct {
        uint64_t cached, dirty, writeback, evicted, recently_evicted;
    } found;
    if (count == 0)
        return 0;
    if (syscall(SYS_cachestat, fd, &range, &found, 0) < 0)
        return is_readable_at_once(fd, offset, count);
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return found.cached >= (offset + count - 1) / page - offset / page + 1;
}

void csplice_drop_cached(int fd)
{
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int csplice_try_lock(int fd)
{
    int result;
    do
        result = flock(fd, LOCK_EX | LOCK_NB);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 1;
    return errno == EWOULDBLOCK ? 0 : -errno;
}

void csplice_unlock(int fd)
{
    (void)flock(fd, LOCK_UN);
}
