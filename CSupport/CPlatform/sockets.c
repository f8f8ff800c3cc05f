/* TCP sockets and their addresses: nonblocking, closed on exec, never a SIGPIPE. */
#include "CPlatform.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

union any_address {
    struct sockaddr plain;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static void bytes_of(const struct csplice_address *address, uint8_t out[16])
{
    uint64_t high = htobe64(address->high), low = htobe64(address->low);
    memcpy(out, &high, 8);
    memcpy(out + 8, &low, 8);
}

static void take_bytes(struct csplice_address *address, const uint8_t bytes[16])
{
    uint64_t high, low;
    memcpy(&high, bytes, 8);
    memcpy(&low, bytes + 8, 8);
    address->high = be64toh(high);
    address->low = be64toh(low);
}

static socklen_t to_kernel(const struct csplice_address *address, union any_address *out)
{
    memset(out, 0, sizeof *out);
    if (address->version == 4) {
        out->four.sin_family = AF_INET;
        out->four.sin_port = htons(address->port);
        out->four.sin_addr.s_addr = htonl((uint32_t)address->low);
        return sizeof out->four;
    }
    out->six.sin6_family = AF_INET6;
    out->six.sin6_port = htons(address->port);
    out->six.sin6_scope_id = address->scope;
    bytes_of(address, out->six.sin6_addr.s6_addr);
    return sizeof out->six;
}

static int from_kernel(const union any_address *address, struct csplice_address *out)
{
    memset(out, 0, sizeof *out);
    if (address->plain.sa_family == AF_INET) {
        out->version = 4;
        out->port = ntohs(address->four.sin_port);
        out->low = ntohl(address->four.sin_addr.s_addr);
        return 0;
    }
    if (address->plain.sa_family == AF_INET6) {
        out->version = 6;
        out->port = ntohs(address->six.sin6_port);
        out->scope = address->six.sin6_scope_id;
        take_bytes(out, address->six.sin6_addr.s6_addr);
        return 0;
    }
    return -EAFNOSUPPORT;
}

static int open_socket(const struct csplice_address *address)
{
    int family = address->version == 4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    return fd < 0 ? -errno : fd;
}

static int fail_closing(int fd)
{
    int failure = -errno;
    close(fd);
    return failure;
}

int csplice_socket_listen(const struct csplice_address *address, int backlog)
{
    union any_address at;
    socklen_t size = to_kernel(address, &at);
    int fd = open_socket(address);
    if (fd < 0)
        return fd;
    int yes = 1;
    /* A restart must not wait for the old process's connections in TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
        return fail_closing(fd);
    /* So that "[::]" and "0.0.0.0" can be listened on side by side, whatever the system's default is. */
    if (address->version == 6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) < 0)
        return fail_closing(fd);
    if (bind(fd, &at.plain, size) < 0 || listen(fd, backlog) < 0)
        return fail_closing(fd);
    return fd;
}

/* A call of bind or connect with a name in a folder. */
struct local_call {
    int (*function)(int fd, const struct sockaddr *at, socklen_t size);
    int fd;
    int folder;
    int error;
    struct sockaddr_un at;
};

/* A thread that has a working directory of its own. */
static void *call_in_folder(void *argument)
{
    struct local_call *call = argument;
    if (unshare(CLONE_FS) < 0 || fchdir(call->folder) < 0 ||
        call->function(call->fd, (struct sockaddr *)&call->at, sizeof call->at) < 0)
        call->error = errno;
    return NULL;
}

/* By way of the folder's descriptor, because a name in sun_path may have 107 bytes only. Sets errno, as `function` does. */
static int call_local(int fd, int folder, const uint8_t *name, size_t count,
                      int (*function)(int, const struct sockaddr *, socklen_t))
{
    struct local_call call = {.function = function, .fd = fd, .folder = folder, .at.sun_family = AF_UNIX};
    char *path = call.at.sun_path;
    const size_t size = sizeof call.at.sun_path;
    int has_proc = access("/proc/self/fd", X_OK) == 0;
    int written = has_proc ? snprintf(path, size, "/proc/self/fd/%d/%.*s", folder, (int)count, (const char *)name)
                           : snprintf(path, size, "%.*s", (int)count, (const char *)name);
    if (written < 0 || (size_t)written >= size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (has_proc)
        return function(fd, (struct sockaddr *)&call.at, sizeof call.at);
    pthread_t thread;
    errno = pthread_create(&thread, NULL, call_in_folder, &call);
    if (errno)
        return -1;
    pthread_join(thread, NULL);
    errno = call.error;
    return call.error ? -1 : 0;
}

static int open_local_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

int csplice_local_listen(int folder, const uint8_t *name, size_t count, uint32_t permissions, int backlog)
{
    int fd = open_local_socket();
    if (fd < 0)
        return fd;
    /* Before bind: the name never exists with other permissions. */
    if (fchmod(fd, permissions) < 0 || call_local(fd, folder, name, count, bind) < 0 || listen(fd, backlog) < 0)
        return fail_closing(fd);
    return fd;
}

int csplice_local_connect(int folder, const uint8_t *name, size_t count)
{
    int fd = open_local_socket();
    if (fd < 0)
        return fd;
    if (call_local(fd, folder, name, count, connect) < 0 && errno != EINTR)
        return fail_closing(fd);
    return fd;
}

int csplice_socket_accept(int fd)
{
    for (;;) {
        int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted >= 0)
            return accepted;
        switch (errno) {
        case EINTR:
        /* Linux hands out the waiting connection's own network error here: that one is gone. */
        case ECONNABORTED:
        case ENETDOWN:
        case EPROTO:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case ENETUNREACH:
            continue;
        default:
            return -errno;
        }
    }
}

int csplice_socket_connect(const struct csplice_address *address)
{
    union any_address to;
    socklen_t size = to_kernel(address, &to);
    int fd = open_socket(address);
    if (fd < 0)
        return fd;
    /* After EINTR the connection goes on by itself, exactly as with EINPROGRESS. */
    if (connect(fd, &to.plain, size) < 0 && errno != EINPROGRESS && errno != EINTR)
        return fail_closing(fd);
    return fd;
}

int csplice_socket_error(int fd)
{
    int failure = 0;
    socklen_t size = sizeof failure;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
        return -errno;
    return failure;
}

int64_t csplice_socket_receive(int fd, void *into, size_t count)
{
    ssize_t got;
    do
        got = recv(fd, into, count, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int64_t csplice_socket_send(int fd, const struct csplice_piece *pieces, size_t count, int more)
{
    /* sendmsg only reads the pieces; msghdr has no const. */
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = count};
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int64_t csplice_socket_send_file(int fd, int file, uint64_t offset, size_t count)
{
    ssize_t sent;
    off_t at = (off_t)offset;
    do
        sent = sendfile(fd, file, &at, count);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int csplice_socket_no_delay(int fd)
{
    int yes = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) < 0 ? -errno : 0;
}

int csplice_socket_shutdown_write(int fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

int csplice_socket_linger_zero(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) < 0 ? -errno : 0;
}

int csplice_socket_local(int fd, struct csplice_address *out)
{
    union any_address at;
    socklen_t size = sizeof at;
    if (getsockname(fd, &at.plain, &size) < 0)
        return -errno;
    return from_kernel(&at, out);
}

int csplice_socket_peer(int fd, struct csplice_address *out)
{
    union any_address at;
    socklen_t size = sizeof at;
    if (getpeername(fd, &at.plain, &size) < 0)
        return -errno;
    return from_kernel(&at, out);
}

int csplice_address_parse(const uint8_t *text, size_t count, int version, struct csplice_address *out)
{
    char copy[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    if (count >= sizeof copy || memchr(text, 0, count))
        return -EINVAL;
    memcpy(copy, text, count);
    copy[count] = 0;
    memset(out, 0, sizeof *out);
    if (version == 4) {
        struct in_addr four;
        if (inet_pton(AF_INET, copy, &four) != 1)
            return -EINVAL;
        out->version = 4;
        out->low = ntohl(four.s_addr);
        return 0;
    }
    char *zone = strchr(copy, '%');
    if (zone) {
        *zone++ = 0;
        out->scope = if_nametoindex(zone);
        if (out->scope == 0) { /* not the name of an interface: its number, perhaps */
            uint64_t index = 0;
            if (!*zone)
                return -EINVAL;
            for (; *zone; zone++) {
                if (*zone < '0' || *zone > '9' || index > UINT32_MAX)
                    return -EINVAL;
                index = index * 10 + (uint64_t)(*zone - '0');
            }
            if (index == 0 || index > UINT32_MAX)
                return -EINVAL;
            out->scope = (uint32_t)index;
        }
    }
    struct in6_addr six;
    if (inet_pton(AF_INET6, copy, &six) != 1)
        return -EINVAL;
    out->version = 6;
    take_bytes(out, six.s6_addr);
    return 0;
}

int csplice_address_format(const struct csplice_address *address, uint8_t *into, size_t capacity)
{
    char text[INET6_ADDRSTRLEN];
    int count;
    if (address->version == 4) {
        struct in_addr four = {.s_addr = htonl((uint32_t)address->low)};
        if (!inet_ntop(AF_INET, &four, text, sizeof text))
            return -errno;
    } else {
        uint8_t bytes[16];
        bytes_of(address, bytes);
        if (!inet_ntop(AF_INET6, bytes, text, sizeof text))
            return -errno;
    }
    if (address->scope)
        count = snprintf((char *)into, capacity, "%s%%%u", text, (unsigned)address->scope);
    else
        count = snprintf((char *)into, capacity, "%s", text);
    return count < 0 || (size_t)count >= capacity ? -EINVAL : count;
}
