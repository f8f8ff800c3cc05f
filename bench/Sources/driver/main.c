/* One cheap client for every server. It prints one JSON object of numbers when its work is done, then keeps
 * its connections until its standard input ends, so that whoever started it can read the server's meters
 * before the server has cleaned up.
 *
 *     driver get PROTOCOL PORT PATH CONNECTIONS TIMES   every connection gets PATH so often
 *     driver put PROTOCOL PORT FILE NAME             one upload
 *     driver part PORT FILE NAME BYTES               one Splice upload that ends after BYTES
 *     driver resume-put PORT FILE NAME               goes on with it for 8 MiB
 *     driver resume-get PORT FILE PATH BYTES TIMES   asks for what follows the first BYTES of FILE
 *     driver idle PROTOCOL PORT CONNECTIONS          connects and says hello
 *     driver stall PROTOCOL PORT PATH CONNECTIONS    asks for PATH and does not read
 *     driver fair PROTOCOL PORT BULK SMALL CONNECTIONS PROBES
 *                                                    gets SMALL again and again while CONNECTIONS get BULK
 */
#include "net.h"
#include "peers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_SIZE (128 << 10)

static const struct peer *find_peer(const char *name)
{
    const struct peer *peers[] = {&native_peer, &http_peer, &ftp_peer, &bare_peer};
    for (size_t index = 0; index < sizeof peers / sizeof *peers; index++)
        if (strcmp(peers[index]->name, name) == 0)
            return peers[index];
    fail("no such protocol: %s", name);
}

static void allow_many_files(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        fail("no memory");
    return memory;
}

/* Waits for the end of standard input. */
static void hold(void)
{
    char scrap[64];
    fflush(stdout);
    while (read(0, scrap, sizeof scrap) > 0) {}
}

static struct session *open_sessions(const struct peer *peer, int port, int count, bool small)
{
    struct session *sessions = allocate((size_t)count, sizeof *sessions);
    for (int index = 0; index < count; index++) {
        sessions[index] = (struct session){.fd = -1, .data = -1, .port = port, .small = small};
        peer->open(&sessions[index]);
    }
    return sessions;
}

/* Threads: one a connection, so that each client is as simple as the only one. */

struct client {
    const struct peer *peer;
    struct session *session;
    const char *path;
    pthread_barrier_t *start;
    atomic_bool *stop;
    int times;
    uint64_t bytes;
};

static void *get_times(void *argument)
{
    struct client *client = argument;
    pthread_barrier_wait(client->start);
    for (int time = 0; time < client->times; time++) {
        client->peer->begin_get(client->session, client->path);
        client->bytes += client->peer->finish_get(client->session);
    }
    return NULL;
}

static void *get_until_stopped(void *argument)
{
    struct client *client = argument;
    pthread_barrier_wait(client->start);
    while (!atomic_load(client->stop)) {
        client->peer->begin_get(client->session, client->path);
        client->bytes += client->peer->finish_get(client->session);
    }
    return NULL;
}

static pthread_t start_thread(void *(*body)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, body, argument) != 0)
        fail("cannot start a thread");
    return thread;
}

static void get(const struct peer *peer, int port, const char *path, int count, int times)
{
    struct session *sessions = open_sessions(peer, port, count, false);
    struct client *clients = allocate((size_t)count, sizeof *clients);
    pthread_t *threads = allocate((size_t)count, sizeof *threads);
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (int index = 0; index < count; index++) {
        clients[index] = (struct client){
            .peer = peer, .session = &sessions[index], .path = path, .start = &start, .times = times};
        threads[index] = start_thread(get_times, &clients[index]);
    }
    double began = now();
    pthread_barrier_wait(&start);
    uint64_t bytes = 0;
    for (int index = 0; index < count; index++) {
        pthread_join(threads[index], NULL);
        bytes += clients[index].bytes;
    }
    printf("{\"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)bytes, now() - began);
    hold();
}

static void put(const struct peer *peer, int port, const char *file, const char *name)
{
    struct source source = open_source(file);
    if (peer == &native_peer)
        native_prepare(&source);
    struct session *session = open_sessions(peer, port, 1, false);
    double began = now();
    peer->put(session, &source, name);
    printf("{\"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)source.size, now() - began);
    hold();
}

static void part(int port, const char *file, const char *name, uint64_t count)
{
    struct source source = open_source(file);
    native_prepare(&source);
    struct session *session = open_sessions(&native_peer, port, 1, false);
    native_put_part(session, &source, name, count);
    printf("{\"bytes\": %llu}\n", (unsigned long long)count);
}

static void resume_put(int port, const char *file, const char *name)
{
    struct source source = open_source(file);
    native_prepare(&source);
    struct session session = {.fd = -1, .data = -1, .port = port};
    double began = now();
    native_peer.open(&session);
    struct resumed resumed = native_resume_put(&session, &source, name);
    printf(
        "{\"from\": %llu, \"first_byte_ms\": %.4f, \"acknowledged_ms\": %.4f}\n",
        (unsigned long long)resumed.from, 1e3 * (resumed.first_byte - began),
        1e3 * (resumed.acknowledged - began));
    hold();
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void resume_get(int port, const char *file, const char *path, uint64_t held, int times)
{
    struct source source = open_source(file);
    native_prepare(&source);
    unsigned char proof[DIGEST_SIZE];
    native_proof(&source, held, proof);
    double *waits = allocate((size_t)times, sizeof *waits);
    /* The first one pays for digests that the server does not have yet. */
    for (int index = -1; index < times; index++) {
        struct session session = {.fd = -1, .data = -1, .port = port};
        double began = now();
        native_peer.open(&session);
        struct resumed resumed = native_resume_get(&session, &source, path, held, proof);
        if (index >= 0)
            waits[index] = 1e3 * (resumed.first_byte - began);
        close(session.fd);
    }
    qsort(waits, (size_t)times, sizeof *waits, by_value);
    printf("{\"from\": %llu, \"first_byte_ms\": %.4f}\n", (unsigned long long)held, waits[times / 2]);
    hold();
}

static void idle(const struct peer *peer, int port, int count)
{
    open_sessions(peer, port, count, false);
    printf("{\"connections\": %d}\n", count);
    hold();
}

static void stall(const struct peer *peer, int port, const char *path, int count)
{
    struct session *sessions = open_sessions(peer, port, count, true);
    for (int index = 0; index < count; index++)
        peer->begin_get(&sessions[index], path);
    /* A server has begun when its first byte is there; the rest fills its buffers and stalls. */
    for (int index = 0; index < count; index++) {
        char first;
        int fd = sessions[index].data >= 0 ? sessions[index].data : sessions[index].fd;
        if (recv(fd, &first, 1, MSG_PEEK) != 1)
            fail("a stalled download did not begin");
    }
    printf("{\"connections\": %d}\n", count);
    hold();
}

static void fair(
    const struct peer *peer, int port, const char *bulk, const char *small, int count, int probes)
{
    struct session *sessions = open_sessions(peer, port, count + 1, false);
    struct client *clients = allocate((size_t)count, sizeof *clients);
    double *waits = allocate((size_t)probes, sizeof *waits);
    pthread_barrier_t start;
    atomic_bool stop = false;
    pthread_barrier_init(&start, NULL, (unsigned)count + 1);
    for (int index = 0; index < count; index++) {
        clients[index] = (struct client){
            .peer = peer, .session = &sessions[index], .path = bulk, .start = &start, .stop = &stop};
        start_thread(get_until_stopped, &clients[index]);
    }
    if (count > 0)
        pthread_barrier_wait(&start);
    usleep(200000);
    struct session *probe = &sessions[count];
    for (int index = 0; index < probes; index++) {
        double began = now();
        peer->begin_get(probe, small);
        peer->finish_get(probe);
        waits[index] = 1e3 * (now() - began);
    }
    qsort(waits, (size_t)probes, sizeof *waits, by_value);
    printf(
        "{\"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f}\n", waits[probes / 2],
        waits[probes * 99 / 100], waits[probes - 1]);
    fflush(stdout);
    /* The bulk clients are in the middle of a file: no orderly end is worth the wait. */
    _exit(0);
}

int main(int count, char **arguments)
{
    allow_many_files();
    const char *command = count > 1 ? arguments[1] : "";
    char **rest = arguments + 2;
    int given = count - 2;
    if (strcmp(command, "get") == 0 && given == 5)
        get(find_peer(rest[0]), atoi(rest[1]), rest[2], atoi(rest[3]), atoi(rest[4]));
    else if (strcmp(command, "put") == 0 && given == 4)
        put(find_peer(rest[0]), atoi(rest[1]), rest[2], rest[3]);
    else if (strcmp(command, "part") == 0 && given == 4)
        part(atoi(rest[0]), rest[1], rest[2], strtoull(rest[3], NULL, 10));
    else if (strcmp(command, "resume-put") == 0 && given == 3)
        resume_put(atoi(rest[0]), rest[1], rest[2]);
    else if (strcmp(command, "resume-get") == 0 && given == 5)
        resume_get(atoi(rest[0]), rest[1], rest[2], strtoull(rest[3], NULL, 10), atoi(rest[4]));
    else if (strcmp(command, "idle") == 0 && given == 3)
        idle(find_peer(rest[0]), atoi(rest[1]), atoi(rest[2]));
    else if (strcmp(command, "stall") == 0 && given == 4)
        stall(find_peer(rest[0]), atoi(rest[1]), rest[2], atoi(rest[3]));
    else if (strcmp(command, "fair") == 0 && given == 6)
        fair(find_peer(rest[0]), atoi(rest[1]), rest[2], rest[3], atoi(rest[4]), atoi(rest[5]));
    else
        fail("wrong arguments; see the top of main.c");
    return 0;
}
