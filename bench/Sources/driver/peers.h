/* The protocols that the driver speaks, behind one set of functions. */
#ifndef DRIVER_PEERS_H
#define DRIVER_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#define DIGEST_SIZE 32

/* A local file as a source of uploads: opened and digested before any clock runs. */
struct source {
    const char *path;
    int file;
    uint64_t size;
    uint64_t block_size;
    /* One digest a block, each padded to 32 bytes. */
    unsigned char *blocks;
};

struct session {
    int fd;
    /* FTP: the connection that carries the file; -1 when there is none. */
    int data;
    int port;
    /* Native: the last stream that was opened. */
    uint64_t stream;
    /* The buffer for what the server sends is kept small. */
    bool small;
};

struct peer {
    const char *name;
    /* Connects and says hello. */
    void (*open)(struct session *);
    /* Asks for a file and reads nothing yet. */
    void (*begin_get)(struct session *, const char *path);
    /* Reads and drops it; returns its bytes. */
    uint64_t (*finish_get)(struct session *);
    /* Sends a whole file and waits until the server says that it has it. */
    void (*put)(struct session *, const struct source *, const char *path);
};

extern const struct peer native_peer, http_peer, ftp_peer, bare_peer;

struct source open_source(const char *path);

/* Digests it, once: the digests of a large file stay beside it, in PATH.digests, for the next run. */
void native_prepare(struct source *);

/* The native protocol, in pieces, for resuming. */

/* Sends the first `count` bytes of `source` and drops the connection. */
void native_put_part(struct session *, const struct source *, const char *path, uint64_t count);

struct resumed {
    /* Bytes that were held and proved. */
    uint64_t from;
    /* When the first new byte was sent (put) or had come (get), on the monotonic clock. */
    double first_byte;
    /* put: when the server said that it has 8 MiB of the new bytes, or all there were. */
    double acknowledged;
};

/* Continues an upload that native_put_part began, for 8 MiB, and drops the connection. */
struct resumed native_resume_put(struct session *, const struct source *, const char *path);

/* Asks for the rest of a file of which `source` holds the first `held` bytes; reads one block of it. */
struct resumed native_resume_get(
    struct session *, const struct source *, const char *path, uint64_t held, const unsigned char *proof);

/* Names the first `count` bytes. */
void native_proof(const struct source *, uint64_t count, unsigned char proof[DIGEST_SIZE]);

#endif
