/* Clocks, identity, environment and the standard streams of this process. */
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t csplice_monotonic_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t csplice_monotonic_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void csplice_wall_time(int64_t *seconds, uint32_t *nanoseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *seconds = now.tv_sec;
    *nanoseconds = (uint32_t)now.tv_nsec;
}

void csplice_boot_time(int64_t *seconds, uint32_t *nanoseconds)
{
    struct timespec now, up;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    int64_t whole = (int64_t)now.tv_sec - up.tv_sec;
    int64_t part = (int64_t)now.tv_nsec - up.tv_nsec;
    if (part < 0) {
        part += 1000000000;
        whole -= 1;
    }
    *seconds = whole;
    *nanoseconds = (uint32_t)part;
}

int csplice_random(void *into, size_t count)
{
    uint8_t *at = into;
    while (count > 0) {
        ssize_t got = getrandom(at, count, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        at += got;
        count -= (size_t)got;
    }
    return 0;
}

int64_t csplice_read_small(const char *path, uint8_t *into, size_t capacity)
{
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    size_t count = 0;
    while (count < capacity) {
        ssize_t got = read(fd, into + count, capacity - count);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            int failure = -errno;
            close(fd);
            return failure;
        }
        if (got == 0)
            break;
        count += (size_t)got;
    }
    close(fd);
    return (int64_t)count;
}

int64_t csplice_host_name(uint8_t *into, size_t capacity)
{
    char name[256];
    if (gethostname(name, sizeof name) < 0)
        return -errno;
    name[sizeof name - 1] = 0;
    size_t count = strlen(name);
    if (count > capacity)
        count = capacity;
    memcpy(into, name, count);
    return (int64_t)count;
}

int64_t csplice_current_folder(uint8_t *into, size_t capacity)
{
    if (!getcwd((char *)into, capacity))
        return -errno;
    return (int64_t)strlen((char *)into);
}

uint32_t csplice_user_id(void)
{
    return geteuid();
}

uint32_t csplice_process_id(void)
{
    return (uint32_t)getpid();
}

const uint8_t *csplice_environment(const char *name)
{
    return (const uint8_t *)getenv(name);
}

void csplice_sleep(uint32_t milliseconds)
{
    struct timespec rest = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        ;
}

int csplice_processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int count = CPU_COUNT(&set);
        if (count > 0)
            return count;
    }
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

void csplice_ignore_broken_pipe(void)
{
    signal(SIGPIPE, SIG_IGN);
}

void csplice_ignore_broken_pipe_unless_handled(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

int64_t csplice_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int64_t)limit.rlim_cur;
}

int64_t csplice_raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return csplice_descriptor_limit();
}

void csplice_expect_descriptors(int count)
{
    int64_t limit = csplice_descriptor_limit();
    if (limit > 0 && limit < count)
        count = (int)limit;
    /* The lowest that is free from there on: the table has to reach to it. */
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, count - 1);
    if (fd >= 0)
        close(fd);
}

int csplice_write_stream(int fd, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN)
                return -errno;
            /* Someone who shares our terminal or pipe made it nonblocking. */
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            if (poll(&ready, 1, -1) < 0 && errno != EINTR)
                return -errno;
            continue;
        }
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

int csplice_is_terminal(int fd)
{
    return isatty(fd);
}

int csplice_terminal_columns(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        return -errno;
    return size.ws_col;
}

void csplice_return_large_blocks(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 64 << 10);
#endif
}

static int forget_code(struct dl_phdr_info *object, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[index];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || (part->p_flags & PF_W))
            continue;
        uintptr_t start = object->dlpi_addr + part->p_vaddr;
        uintptr_t end = (start + part->p_filesz) & ~(page - 1);
        start = (start + page - 1) & ~(page - 1);
        if (end > start)
            (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void csplice_forget_code(void)
{
    dl_iterate_phdr(forget_code, NULL);
}

void csplice_set_file_mode_mask(uint32_t mask)
{
    umask((mode_t)(mask & 0777));
}

_Noreturn void csplice_exit(int status)
{
    exit(status);
}
