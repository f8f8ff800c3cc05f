/* Blocking socket calls that either do all of their work or end the program with a sentence. */
#ifndef DRIVER_NET_H
#define DRIVER_NET_H

#include <stddef.h>
#include <stdint.h>

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Seconds on the monotonic clock. */
double now(void);

/* Connects to 127.0.0.1. */
int dial(int port);

/* As dial, with a small receive buffer, for a peer that is not going to read. */
int dial_small(int port);

/* `flags` as for send(2). */
void send_all(int fd, const void *bytes, size_t count, int flags);
void recv_all(int fd, void *into, size_t count);

/* Receives and drops `count` bytes without copying them (MSG_TRUNC). */
void discard(int fd, uint64_t count);

/* The same until the peer closes; returns the bytes. */
uint64_t discard_to_end(int fd);

void send_file(int fd, int file, uint64_t from, uint64_t count);

#endif
