/*
 * What Swift cannot import or express: panics that reach standard error, variadic system calls,
 * structures that glibc hides behind feature macros. Every name starts with csplice_, so that an
 * export list of splice_* can never leak one.
 */
#ifndef SPLICE_CPLATFORM_H
#define SPLICE_CPLATFORM_H

#include <stddef.h>
#include <stdint.h>

/* Writes "splice: internal error: MESSAGE (FILE:LINE)" to standard error and aborts. Any thread. */
_Noreturn void csplice_panic(const char *message, size_t message_count, const char *file, size_t file_count,
                             uint32_t line);

/*
 * Every function below that returns int or int64_t gives a negative errno when it fails, so that nothing
 * can overwrite errno on the way to Swift. EINTR is retried everywhere but in close. A path is `count`
 * bytes without a terminator: -EINVAL when it holds a NUL byte, -ENAMETOOLONG beyond PATH_MAX. Any thread.
 */

/* syscalls.c: files and directories */

struct csplice_status {
    uint64_t device, inode, size, link_count;
    int64_t modified_seconds, changed_seconds;
    uint32_t modified_nanoseconds, changed_nanoseconds;
    uint32_t permissions; /* 07777 */
    uint32_t kind;        /* CSPLICE_KIND_* */
};

enum {
    CSPLICE_KIND_OTHER = 0,
    CSPLICE_KIND_REGULAR,
    CSPLICE_KIND_DIRECTORY,
    CSPLICE_KIND_LINK,
    CSPLICE_KIND_UNKNOWN
};

/* How a path is resolved against its directory. */
enum {
    CSPLICE_ANYWHERE = 0,        /* as openat does */
    CSPLICE_BENEATH = 1,         /* RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS */
    CSPLICE_BENEATH_NO_LINKS = 2 /* component by component, refusing symbolic links and ".." */
};

enum {
    CSPLICE_OPEN_READ = 0,
    CSPLICE_OPEN_READ_WRITE,
    CSPLICE_OPEN_CREATE,
    CSPLICE_OPEN_CREATE_NEW,
    CSPLICE_OPEN_DIRECTORY
};

enum { CSPLICE_CURRENT_DIRECTORY = -1 };

/* `directory` may be CSPLICE_CURRENT_DIRECTORY. */
int csplice_open(int directory, int resolve, const uint8_t *path, size_t count, int mode,
                 uint32_t permissions);
/* Whether the file system of `directory` is one where the next is no slower than a file with a name. */
int csplice_suits_nameless(int directory);
/* A file in the file system of `directory` that goes with its last descriptor; EOPNOTSUPP where there is no such thing, or
 * no way to give it a name. `csplice_link` gives it one. ESTALE: a policy forbids that; it must be made anew, and the next
 * `csplice_open_nameless` says EOPNOTSUPP. */
int csplice_open_nameless(int directory, uint32_t permissions);
int csplice_link(int fd, int directory, const uint8_t *name, size_t count);
int csplice_status_at(int directory, int resolve, const uint8_t *path, size_t count, int follow_links,
                      struct csplice_status *out);
int csplice_status(int fd, struct csplice_status *out);
void csplice_close(int fd);
int csplice_make_directory(int directory, const uint8_t *name, size_t count, uint32_t permissions);
int csplice_rename(int from, const uint8_t *name, size_t count, int to, const uint8_t *new_name,
                   size_t new_count, int replacing);
int csplice_remove(int directory, const uint8_t *name, size_t count, int is_directory);
int csplice_free_space(int fd, uint64_t *out);

/* The layout of struct iovec. */
struct csplice_piece {
    const void *base;
    size_t count;
};

int64_t csplice_read_at(int fd, void *into, size_t count, uint64_t offset);
/* Writes every byte; changes `pieces` on the way. At most 1024 of them. */
int csplice_write_all_at(int fd, struct csplice_piece *pieces, size_t count, uint64_t offset);
/* Whether the file system takes bytes past the page cache, and gains by it. */
int csplice_writes_uncached(int fd);
/* Past the page cache. Returns 1 where that cannot be done so; then any of it may have been written. */
int csplice_write_uncached_at(int fd, const void *base, size_t count, uint64_t offset);
int csplice_sync(int fd);
int csplice_sync_data(int fd);

/* sync_file_range(2) over a range, 0 bytes meaning to the end: begins to write what is cached; waits for writes under
 * way and returns what went wrong with one since the last time. */
void csplice_start_writeback(int fd, uint64_t offset, uint64_t count);
int csplice_wait_for_writeback(int fd, uint64_t offset, uint64_t count);

/* Whether the effective user may make names in this directory. */
int csplice_check_writable(int directory);

/* syncfs(2): the whole file system that fd is on. */
int csplice_sync_file_system(int fd);
int csplice_truncate(int fd, uint64_t size);
/* 1, or 0 when the file system cannot reserve. */
int csplice_reserve(int fd, uint64_t offset, uint64_t count);
/* From one file to the same place in another; fewer bytes where the system cannot, or the first file ends. */
int64_t csplice_copy_range(int from, int to, uint64_t offset, uint64_t count);
int csplice_set_modified(int fd, int64_t seconds, uint32_t nanoseconds);
int csplice_set_permissions(int fd, uint32_t permissions);
void csplice_will_need(int fd, uint64_t offset, uint64_t count);
/* 1 when the range is in the page cache (before Linux 6.5: a sample of it), 0 when not or if nobody can tell. */
int csplice_is_cached(int fd, uint64_t offset, uint64_t count);
void csplice_drop_cached(int fd);
/* 1 locked, 0 held by someone else. */
int csplice_try_lock(int fd);
void csplice_unlock(int fd);

/* directories.c: the names in a directory, by a stream with a descriptor of its own */

struct csplice_entry {
    const uint8_t *name; /* valid until the next call on the stream */
    size_t count;
    uint32_t kind;
};

int csplice_entries_open(int directory, void **out);
/* 1 an entry, 0 the end. "." and ".." are left out. */
int csplice_entries_next(void *stream, struct csplice_entry *out);
void csplice_entries_close(void *stream);

/* sockets.c */

struct csplice_address {
    uint64_t high, low; /* the address as one big number; IPv4 in the low 32 bits */
    uint32_t scope;     /* interface index of a link-local IPv6 address, or 0 */
    uint16_t port;
    uint8_t version;    /* 4 or 6 */
};

int csplice_socket_listen(const struct csplice_address *address, int backlog);
/* Unix sockets: `name` is one component in the folder. Needs /proc. */
int csplice_local_listen(int folder, const uint8_t *name, size_t count, uint32_t permissions, int backlog);
int csplice_local_connect(int folder, const uint8_t *name, size_t count);
/* -EAGAIN when nobody waits; a connection that failed while it waited is skipped. */
int csplice_socket_accept(int fd);
int csplice_socket_connect(const struct csplice_address *address);
/* SO_ERROR: 0 or a positive errno; negative errno when even that cannot be read. */
int csplice_socket_error(int fd);
int64_t csplice_socket_receive(int fd, void *into, size_t count);
int64_t csplice_socket_send(int fd, const struct csplice_piece *pieces, size_t count, int more);
int64_t csplice_socket_send_file(int fd, int file, uint64_t offset, size_t count);
int csplice_socket_no_delay(int fd);
int csplice_socket_shutdown_write(int fd);
int csplice_socket_linger_zero(int fd);
int csplice_socket_local(int fd, struct csplice_address *out);
int csplice_socket_peer(int fd, struct csplice_address *out);
/* The address without its port, with "%interface" when IPv6. 0 or -EINVAL; sets version, high, low, scope. */
int csplice_address_parse(const uint8_t *text, size_t count, int version, struct csplice_address *out);
/* Returns the count of bytes written, without a terminator. `capacity` of 80 is always enough. */
int csplice_address_format(const struct csplice_address *address, uint8_t *into, size_t capacity);

/* process.c */

int64_t csplice_monotonic_milliseconds(void);
uint64_t csplice_monotonic_nanoseconds(void);
void csplice_wall_time(int64_t *seconds, uint32_t *nanoseconds);
void csplice_boot_time(int64_t *seconds, uint32_t *nanoseconds);
int csplice_random(void *into, size_t count);
/* The whole of a small file of the system, at most `capacity` bytes; the count or a negative errno. */
int64_t csplice_read_small(const char *path, uint8_t *into, size_t capacity);
int64_t csplice_host_name(uint8_t *into, size_t capacity);
int64_t csplice_current_folder(uint8_t *into, size_t capacity);
uint32_t csplice_user_id(void);
uint32_t csplice_process_id(void);
/* NULL when unset. */
const uint8_t *csplice_environment(const char *name);
int csplice_processor_count(void);
void csplice_sleep(uint32_t milliseconds);
void csplice_ignore_broken_pipe(void);
void csplice_ignore_broken_pipe_unless_handled(void);
/* Of this process, now; or a negative errno. */
int64_t csplice_descriptor_limit(void);
/* The limit after the raise; a negative errno when even reading it failed. */
int64_t csplice_raise_descriptor_limit(void);
void csplice_expect_descriptors(int count);
int csplice_write_stream(int fd, const uint8_t *bytes, size_t count);
int csplice_is_terminal(int fd);
int csplice_terminal_columns(int fd);
/* Unmaps the code of the program and its libraries; it comes back from the page cache as it is used. */
void csplice_forget_code(void);
/* Where the C library can be told to. */
void csplice_return_large_blocks(void);
void csplice_set_file_mode_mask(uint32_t mask);
_Noreturn void csplice_exit(int status);

/* confine.c: both hold for this thread and what it starts from then on, for good */

/*
 * Landlock: from now on nothing outside of `directory` can be opened, made, renamed or removed, nothing inside
 * of it written without `writing`, and no TCP port bound or connected to. Descriptors that are open keep their
 * rights. Beneath `removing` files can be removed too, beneath `reading` they can be read; -1 for neither.
 * Returns the version of the kernel's Landlock; -ENOSYS or -EOPNOTSUPP where the kernel cannot do it.
 */
int csplice_confine(int directory, int writing, int removing, int reading);
/* Without supplementary groups. -EPERM when that is not allowed, or could be undone. */
int csplice_become_user(uint32_t user, uint32_t group);

/* service.c: see sd_listen_fds(3) and sd_notify(3) */

/* Makes an inherited socket like those of csplice_socket_listen; -EINVAL when it does not listen for TCP. */
int csplice_adopt_listener(int fd);
/* A datagram socket connected to a UNIX address; a leading '@' stands for the abstract NUL. */
int csplice_connect_datagram(const uint8_t *path, size_t count);
int csplice_send_datagram(int fd, const uint8_t *bytes, size_t count);

/* math.c: ceil(3), which is defined too */

double csplice_ceil(double value);

/* arguments.c: the command line as the kernel passed it. NULL beyond the last. */
int csplice_argument_count(void);
const uint8_t *csplice_argument(int index);

/* options.c: getopt_long. Not thread-safe: one parse at a time in the whole process. */

struct csplice_option {
    const char *name;
    int takes_value;
    int letter; /* 0 for none */
};

enum { CSPLICE_PARSED_END = 0, CSPLICE_PARSED_OPTION, CSPLICE_PARSED_UNKNOWN, CSPLICE_PARSED_MISSING };
enum { CSPLICE_OPTION_COUNT_MAX = 96 };

struct csplice_parsed {
    int kind;
    int index;            /* into the table, when kind is OPTION or MISSING and it is known */
    int letter;           /* the refused letter of a group of short options, or 0 */
    const uint8_t *value; /* of the option, or the refused argument; NULL when there is none */
};

/* argv[0] is skipped and argv[count] must be NULL; permutes argv. `restart` for the first call of a parse. */
void csplice_options_next(int count, char **argv, const struct csplice_option *table, size_t table_count,
                          int restart, struct csplice_parsed *out);
/* After CSPLICE_PARSED_END: index of the first operand in argv. */
int csplice_options_operands(void);

#endif
