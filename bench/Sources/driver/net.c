#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What one call asks for at most; with MSG_TRUNC the kernel copies none of it. */
#define DISCARD_STEP (1 << 20)

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("driver: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    /* Other threads may be in the middle of their work: no destructors. */
    _exit(1);
}

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int dial_with(int port, int receive_buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket: %s", strerror(errno));
    if (receive_buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect to port %d: %s", port, strerror(errno));
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

int dial(int port) { return dial_with(port, 0); }

int dial_small(int port) { return dial_with(port, 4096); }

void send_all(int fd, const void *bytes, size_t count, int flags)
{
    const char *next = bytes;
    while (count > 0) {
        ssize_t sent = send(fd, next, count, flags | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            fail("send: %s", strerror(errno));
        next += sent;
        count -= (size_t)sent;
    }
}

void recv_all(int fd, void *into, size_t count)
{
    char *next = into;
    while (count > 0) {
        ssize_t got = recv(fd, next, count, MSG_WAITALL);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            fail("recv: %s", got == 0 ? "the server closed the connection" : strerror(errno));
        next += got;
        count -= (size_t)got;
    }
}

void discard(int fd, uint64_t count)
{
    while (count > 0) {
        size_t step = count < DISCARD_STEP ? (size_t)count : DISCARD_STEP;
        ssize_t got = recv(fd, NULL, step, MSG_TRUNC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            fail("recv: %s", got == 0 ? "the server closed in the middle of a file" : strerror(errno));
        count -= (uint64_t)got;
    }
}

uint64_t discard_to_end(int fd)
{
    uint64_t total = 0;
    for (;;) {
        ssize_t got = recv(fd, NULL, DISCARD_STEP, MSG_TRUNC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            fail("recv: %s", strerror(errno));
        if (got == 0)
            return total;
        total += (uint64_t)got;
    }
}

void send_file(int fd, int file, uint64_t from, uint64_t count)
{
    off_t at = (off_t)from;
    while (count > 0) {
        size_t step = count < (1u << 30) ? (size_t)count : (1u << 30);
        ssize_t sent = sendfile(fd, file, &at, step);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            fail("sendfile: %s", sent == 0 ? "the file became shorter" : strerror(errno));
        count -= (uint64_t)sent;
    }
}
