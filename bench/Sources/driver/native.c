/* The native protocol of Splice (docs/protocol.md), as far as a cheap client needs it. */
#include "net.h"
#include "peers.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define BLOCK_MIN (1u << 20)
#define HEADER_SIZE 16
#define BODY_MAX (16 << 10)
/* The server acknowledges at least this often. */
#define ACK_BYTES (8u << 20)

enum type {
    HELLO = 1, OFFER, HAVE, PROBE, CHAIN, RESUME, DATA, ACK, COMMIT, COMMITTED, WANT, GIVE, END, ERROR = 20
};
enum flag { END_OF_BLOCK = 1, REWIND = 2, START = 16 };
enum { STATE_NOTHING = 1, STATE_PARTIAL = 2 };

/* A message that is being written or read. */
struct frame {
    unsigned char bytes[HEADER_SIZE + BODY_MAX];
    size_t count;
};

struct header {
    unsigned type, flags;
    uint32_t length;
    uint64_t stream;
};

static void put_integer(struct frame *frame, uint64_t value, int size)
{
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
        frame->bytes[frame->count++] = (unsigned char)(value >> shift);
}

static void put_bytes(struct frame *frame, const void *bytes, size_t count)
{
    memcpy(frame->bytes + frame->count, bytes, count);
    frame->count += count;
}

static void put_text(struct frame *frame, const char *text)
{
    put_integer(frame, strlen(text), 2);
    put_bytes(frame, text, strlen(text));
}

static uint64_t get_integer(const unsigned char *bytes, int size)
{
    uint64_t value = 0;
    for (int index = 0; index < size; index++)
        value = value << 8 | bytes[index];
    return value;
}

static void begin_frame(struct frame *frame, enum type type, unsigned flags, uint64_t stream)
{
    frame->count = 0;
    put_integer(frame, type, 1);
    put_integer(frame, flags, 1);
    put_integer(frame, 0, 2);
    put_integer(frame, 0, 4);
    put_integer(frame, stream, 8);
}

/* `payload`: bytes that will follow the fields of a DATA frame. */
static void send_frame(int fd, struct frame *frame, uint32_t payload, int flags)
{
    uint32_t length = htobe32((uint32_t)(frame->count - HEADER_SIZE) + payload);
    memcpy(frame->bytes + 4, &length, 4);
    send_all(fd, frame->bytes, frame->count, flags);
}

static struct header recv_header(int fd)
{
    unsigned char bytes[HEADER_SIZE];
    recv_all(fd, bytes, sizeof bytes);
    return (struct header){
        .type = bytes[0], .flags = bytes[1],
        .length = (uint32_t)get_integer(bytes + 4, 4), .stream = get_integer(bytes + 8, 8)};
}

/* The body of a message that is not DATA. */
static void recv_body(int fd, struct header header, unsigned char body[BODY_MAX])
{
    if (header.length > BODY_MAX)
        fail("the server sent a message of %u bytes", header.length);
    recv_all(fd, body, header.length);
    if (header.type == ERROR) {
        size_t path = get_integer(body + 22, 2);
        size_t text = get_integer(body + 24 + path, 2);
        fail("the server says: %.*s", (int)text, body + 26 + path);
    }
}

static void expect(int fd, enum type wanted, struct header *header, unsigned char body[BODY_MAX])
{
    for (;;) {
        *header = recv_header(fd);
        recv_body(fd, *header, body);
        if (header->type == wanted)
            return;
        if (header->type != ACK)
            fail("the server sent message %u where %u belongs", header->type, wanted);
        if (header->flags & REWIND)
            fail("the server found a block damaged");
    }
}

/* Digests, as the protocol writes them: 16 bytes in network order, then zeros. */

static void digest(const void *bytes, size_t count, unsigned char out[DIGEST_SIZE])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, count));
    memset(out, 0, DIGEST_SIZE);
    memcpy(out, canonical.digest, sizeof canonical.digest);
}

struct source open_source(const char *path)
{
    struct source source = {.path = path, .file = open(path, O_RDONLY | O_CLOEXEC), .block_size = BLOCK_MIN};
    struct stat status;
    if (source.file < 0 || fstat(source.file, &status) < 0)
        fail("%s: %s", path, strerror(errno));
    source.size = (uint64_t)status.st_size;
    return source;
}

static uint64_t block_count(const struct source *source)
{
    return (source->size + source->block_size - 1) / source->block_size;
}

static void digest_source(struct source *source)
{
    source->blocks = calloc(block_count(source) + 1, DIGEST_SIZE);
    if (source->blocks == NULL)
        fail("no memory for the digests");
    for (uint64_t offset = 0, block = 0; offset < source->size; offset += source->block_size, block++) {
        uint64_t left = source->size - offset;
        size_t count = left < source->block_size ? left : source->block_size;
        void *bytes = mmap(NULL, count, PROT_READ, MAP_SHARED | MAP_POPULATE, source->file, (off_t)offset);
        if (bytes == MAP_FAILED)
            fail("mmap: %s", strerror(errno));
        digest(bytes, count, source->blocks + block * DIGEST_SIZE);
        munmap(bytes, count);
    }
}

/* Below this, digesting takes no time worth saving. */
#define KEPT_MIN (2ull << 30)

void native_prepare(struct source *source)
{
    char name[4096];
    size_t count = block_count(source) * DIGEST_SIZE;
    snprintf(name, sizeof name, "%s.digests", source->path);
    int kept = source->size < KEPT_MIN ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    if (kept >= 0) {
        source->blocks = malloc(count);
        if (source->blocks == NULL || read(kept, source->blocks, count) != (ssize_t)count)
            fail("%s is not what it should be", name);
        close(kept);
        return;
    }
    digest_source(source);
    if (source->size < KEPT_MIN)
        return;
    kept = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (kept < 0 || write(kept, source->blocks, count) != (ssize_t)count)
        fail("cannot write %s", name);
    close(kept);
}

void native_proof(const struct source *source, uint64_t count, unsigned char proof[DIGEST_SIZE])
{
    struct frame parameters = {.count = 0};
    put_bytes(&parameters, "splice chain 1", 14);
    put_integer(&parameters, 1, 1);
    put_integer(&parameters, source->block_size, 8);
    digest(parameters.bytes, parameters.count, proof);
    if (count % source->block_size != 0 && count != source->size)
        fail("the driver only names whole blocks");
    uint64_t blocks = (count + source->block_size - 1) / source->block_size;
    for (uint64_t block = 0; block < blocks; block++) {
        unsigned char pair[2 * DIGEST_SIZE];
        memcpy(pair, proof, DIGEST_SIZE);
        memcpy(pair + DIGEST_SIZE, source->blocks + block * DIGEST_SIZE, DIGEST_SIZE);
        digest(pair, sizeof pair, proof);
    }
}

static void native_open(struct session *session)
{
    session->fd = session->small ? dial_small(session->port) : dial(session->port);
    session->stream = 0;
    struct frame hello;
    begin_frame(&hello, HELLO, 0, 0);
    put_integer(&hello, 1, 2);          /* version */
    put_integer(&hello, 0, 4);          /* features */
    put_integer(&hello, 1, 2);          /* one algorithm: XXH3-128 */
    put_integer(&hello, 1, 1);
    put_integer(&hello, 64, 2);         /* streams */
    put_integer(&hello, 0, 4);          /* idle seconds */
    put_integer(&hello, 0, 8);          /* session */
    put_text(&hello, "splice-bench");
    send_all(session->fd, "SPLC", 4, MSG_MORE);
    send_frame(session->fd, &hello, 0, 0);
    char magic[4];
    recv_all(session->fd, magic, sizeof magic);
    if (memcmp(magic, "SPLC", 4) != 0)
        fail("the server is not a Splice server");
    unsigned char body[BODY_MAX];
    struct header header;
    expect(session->fd, HELLO, &header, body);
}

static void send_want(
    struct session *session, const char *path, uint64_t held, const unsigned char proof[DIGEST_SIZE])
{
    struct frame want;
    begin_frame(&want, WANT, START, ++session->stream);
    put_integer(&want, held, 8);
    put_bytes(&want, proof, DIGEST_SIZE);
    put_text(&want, path);
    send_frame(session->fd, &want, 0, 0);
}

static void native_begin_get(struct session *session, const char *path)
{
    const unsigned char nothing[DIGEST_SIZE] = {0};
    send_want(session, path, 0, nothing);
}

/* The fields before the bytes of a DATA frame; returns how many bytes follow. */
static uint64_t recv_data_fields(int fd, struct header header)
{
    unsigned char fields[8 + DIGEST_SIZE];
    uint32_t count = header.flags & END_OF_BLOCK ? 8 + DIGEST_SIZE : 8;
    if (header.length <= count)
        fail("the server sent DATA without bytes");
    recv_all(fd, fields, count);
    return header.length - count;
}

static uint64_t native_finish_get(struct session *session)
{
    unsigned char body[BODY_MAX];
    struct header header;
    expect(session->fd, GIVE, &header, body);
    uint64_t total = 0;
    for (;;) {
        header = recv_header(session->fd);
        if (header.type == DATA) {
            uint64_t count = recv_data_fields(session->fd, header);
            discard(session->fd, count);
            total += count;
            continue;
        }
        recv_body(session->fd, header, body);
        if (header.type != END)
            fail("the server sent message %u in the middle of a file", header.type);
        if (get_integer(body, 8) != total)
            fail("the server sent %llu bytes of a file", (unsigned long long)total);
        return total;
    }
}

/* Returns how many bytes the server holds. */
static uint64_t offer(
    struct session *session, const struct source *source, const char *path, struct header *header)
{
    struct stat status;
    fstat(source->file, &status);
    struct frame offer;
    begin_frame(&offer, OFFER, 0, ++session->stream);
    put_integer(&offer, 2, 1);          /* replace */
    put_integer(&offer, 0644, 4);
    put_integer(&offer, source->size, 8);
    put_integer(&offer, (uint64_t)status.st_mtim.tv_sec, 8);
    put_integer(&offer, (uint64_t)status.st_mtim.tv_nsec, 4);
    /* The id of an upload is the same in every try; the path makes it. */
    unsigned char id[DIGEST_SIZE];
    digest(path, strlen(path), id);
    put_bytes(&offer, id, 16);
    put_integer(&offer, (uint64_t)(now() * 1e9), 8);
    put_text(&offer, path);
    send_frame(session->fd, &offer, 0, 0);
    unsigned char body[BODY_MAX];
    expect(session->fd, HAVE, header, body);
    if (body[0] != STATE_NOTHING && body[0] != STATE_PARTIAL)
        fail("%s is there already", path);
    if (get_integer(body + 1, 8) != source->block_size)
        fail("the server wants blocks of another size");
    return get_integer(body + 9, 8);
}

static void resume(struct session *session, const struct source *source, uint64_t from)
{
    unsigned char proof[DIGEST_SIZE];
    native_proof(source, from, proof);
    struct frame resume;
    begin_frame(&resume, RESUME, 0, session->stream);
    put_integer(&resume, from, 8);
    put_bytes(&resume, proof, DIGEST_SIZE);
    send_frame(session->fd, &resume, 0, 0);
}

/* The blocks from `from` up to `end`, which both lie between two blocks or at the end of the file. */
static void send_blocks(struct session *session, const struct source *source, uint64_t from, uint64_t end)
{
    for (uint64_t offset = from; offset < end;) {
        uint64_t left = end - offset;
        uint32_t count = (uint32_t)(left < source->block_size ? left : source->block_size);
        struct frame data;
        begin_frame(&data, DATA, END_OF_BLOCK, session->stream);
        put_integer(&data, offset, 8);
        put_bytes(&data, source->blocks + offset / source->block_size * DIGEST_SIZE, DIGEST_SIZE);
        send_frame(session->fd, &data, count, MSG_MORE);
        send_file(session->fd, source->file, offset, count);
        offset += count;
    }
}

static void native_put(struct session *session, const struct source *source, const char *path)
{
    struct header header;
    uint64_t held = offer(session, source, path, &header);
    resume(session, source, held);
    send_blocks(session, source, held, source->size);
    struct frame commit;
    begin_frame(&commit, COMMIT, 0, session->stream);
    put_integer(&commit, source->size, 8);
    unsigned char proof[DIGEST_SIZE];
    native_proof(source, source->size, proof);
    put_bytes(&commit, proof, DIGEST_SIZE);
    send_frame(session->fd, &commit, 0, 0);
    unsigned char body[BODY_MAX];
    expect(session->fd, COMMITTED, &header, body);
    if (get_integer(body, 8) != source->size)
        fail("the server committed another size");
}

static void wait_for_ack(struct session *session, uint64_t received)
{
    unsigned char body[BODY_MAX];
    struct header header;
    do
        expect(session->fd, ACK, &header, body);
    while (get_integer(body, 8) < received);
}

void native_put_part(struct session *session, const struct source *source, const char *path, uint64_t count)
{
    struct header header;
    uint64_t held = offer(session, source, path, &header);
    resume(session, source, held);
    send_blocks(session, source, held, count);
    shutdown(session->fd, SHUT_WR);
    discard_to_end(session->fd);
}

struct resumed native_resume_put(struct session *session, const struct source *source, const char *path)
{
    struct header header;
    struct resumed result = {.from = offer(session, source, path, &header)};
    if (result.from == 0 || result.from + ACK_BYTES > source->size)
        fail("%s: the server holds %llu bytes of it", path, (unsigned long long)result.from);
    resume(session, source, result.from);
    result.first_byte = now();
    send_blocks(session, source, result.from, result.from + ACK_BYTES);
    wait_for_ack(session, result.from + 1);
    result.acknowledged = now();
    shutdown(session->fd, SHUT_WR);
    discard_to_end(session->fd);
    return result;
}

struct resumed native_resume_get(
    struct session *session, const struct source *source, const char *path, uint64_t held,
    const unsigned char *proof)
{
    (void)source;
    send_want(session, path, held, proof);
    unsigned char body[BODY_MAX];
    struct header header;
    expect(session->fd, GIVE, &header, body);
    if (body[0] != 1)
        fail("%s: the server did not prove the prefix", path);
    header = recv_header(session->fd);
    if (header.type != DATA) {
        recv_body(session->fd, header, body);
        fail("%s: the server sent message %u instead of the rest", path, header.type);
    }
    uint64_t count = recv_data_fields(session->fd, header);
    struct resumed result = {.from = held};
    discard(session->fd, 1);
    result.first_byte = result.acknowledged = now();
    discard(session->fd, count - 1);
    return result;
}


const struct peer native_peer = {"splice", native_open, native_begin_get, native_finish_get, native_put};
