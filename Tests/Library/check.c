/* See check.h. */
#include "check.h"

#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern const char *work_folder;

const char *path(const char *format, ...)
{
    static char paths[16][512];
    static unsigned next;
    char *place = paths[next++ % 16];
    int count = snprintf(place, sizeof paths[0], "%s/", work_folder);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(place + count, sizeof paths[0] - (size_t)count, format, arguments);
    va_end(arguments);
    return place;
}

void make_folder(const char *name)
{
    CHECK(mkdir(path("%s", name), 0755) == 0);
}

void make_file(const char *name, size_t size, unsigned seed)
{
    FILE *file = fopen(path("%s", name), "wb");
    CHECK(file != NULL);
    uint64_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        putc_unlocked((int)(state >> 56), file);
    }
    CHECK(fclose(file) == 0);
}

void check_same(const char *one, const char *other)
{
    FILE *a = fopen(path("%s", one), "rb"), *b = fopen(path("%s", other), "rb");
    CHECK(a != NULL && b != NULL);
    static char left[1 << 16], right[1 << 16];
    size_t count;
    do {
        count = fread(left, 1, sizeof left, a);
        CHECK_EQ(fread(right, 1, sizeof right, b), count);
        CHECK(memcmp(left, right, count) == 0);
    } while (count > 0);
    fclose(a);
    fclose(b);
}

int exists(const char *name)
{
    return access(path("%s", name), F_OK) == 0;
}

/* Servers: events come from several threads. */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t something = PTHREAD_COND_INITIALIZER;
static splice_event events[4096];
static size_t event_count;
static splice_server *kicks;
static int kicked_result;

static void on_kicked(void *user, int result)
{
    (void)user;
    pthread_mutex_lock(&mutex);
    kicked_result = result;
    pthread_cond_broadcast(&something);
    pthread_mutex_unlock(&mutex);
}

static void on_event(void *user, const splice_event *event)
{
    (void)user;
    CHECK_EQ(event->size, sizeof *event);
    pthread_mutex_lock(&mutex);
    CHECK(event_count < sizeof events / sizeof *events);
    splice_event *kept = &events[event_count++];
    *kept = *event;
    kept->address = event->address ? strdup(event->address) : NULL;
    kept->path = event->path ? strdup(event->path) : NULL;
    splice_server *kick = event->type == SPLICE_TRANSFER_PROGRESSED ? kicks : NULL;
    if (kick)
        kicks = NULL;
    pthread_cond_broadcast(&something);
    pthread_mutex_unlock(&mutex);
    if (kick)
        CHECK_EQ(splice_server_disconnect(kick, event->client, on_kicked, NULL), 0);
}

static void wait_for_news(void)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    CHECK(pthread_cond_timedwait(&something, &mutex, &end) == 0);
}

splice_event wait_for(splice_event_type type, size_t index)
{
    pthread_mutex_lock(&mutex);
    for (;;) {
        size_t found = 0;
        for (size_t i = 0; i < event_count; i++) {
            if (events[i].type == type && found++ == index) {
                splice_event event = events[i];
                pthread_mutex_unlock(&mutex);
                return event;
            }
        }
        wait_for_news();
    }
}

size_t count_of(splice_event_type type)
{
    size_t found = 0;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < event_count; i++)
        found += events[i].type == type;
    pthread_mutex_unlock(&mutex);
    return found;
}

int kick_result(void)
{
    pthread_mutex_lock(&mutex);
    while (kicked_result > 0)
        wait_for_news();
    int result = kicked_result;
    pthread_mutex_unlock(&mutex);
    return result;
}

void make_options(splice_server_options *options, int how)
{
    static const char *listen[] = {"127.0.0.1:0"};
    pthread_mutex_lock(&mutex);
    while (event_count > 0) {
        free((void *)events[--event_count].address);
        free((void *)events[event_count].path);
    }
    kicked_result = 1;
    pthread_mutex_unlock(&mutex);
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
    options->listen = listen;
    options->listen_count = 1;
    options->on_event = on_event;
    options->client_rate = how & SLOWLY ? 4 * MIB : how & BRISKLY ? 16 * MIB : 0;
    options->read_only = how & READ_ONLY;
    options->workers = how & MANY_WORKERS ? 3 : 0;
}

const char *url_of(splice_server *server, char *url, size_t capacity)
{
    snprintf(url, capacity, "splice://127.0.0.1:%u/", splice_server_port(server, 0));
    return url;
}

void begin_serving(struct served *served, const char *root, int how)
{
    splice_server_options options;
    splice_error error;
    make_options(&options, how);
    if (splice_server_open(path("%s", root), &options, &served->server, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    url_of(served->server, served->url, sizeof served->url);
    kicks = how & KICK_AT_PROGRESS ? served->server : NULL;
    CHECK_EQ(splice_server_start(served->server, &error), 0);
}

void end_serving(struct served *served)
{
    CHECK_EQ(splice_server_free(served->server), 0);
    CHECK_EQ(count_of(SPLICE_SERVER_STOPPED), 1);
    CHECK_EQ(count_of(SPLICE_CLIENT_DISCONNECTED), count_of(SPLICE_CLIENT_CONNECTED));
    CHECK_EQ(count_of(SPLICE_TRANSFER_ENDED), count_of(SPLICE_TRANSFER_BEGAN));
}

/* Transfers: everything comes on one thread. */

static void on_progress(void *user, const splice_progress *progress)
{
    struct heard *heard = user;
    CHECK_EQ(progress->size, sizeof *progress);
    heard->progressed++;
    if (heard->cancels && progress->phase == SPLICE_MOVING && progress->done >= heard->cancel_at)
        CHECK_EQ(splice_transfer_cancel(heard->cancels), 0);
}

static void on_result(void *user, const splice_result *result)
{
    struct heard *heard = user;
    CHECK_EQ(result->size, sizeof *result);
    CHECK(heard->count < 16);
    snprintf(heard->texts[heard->count], sizeof heard->texts[0], "%s|%s|%s", result->local, result->remote, result->text);
    heard->results[heard->count++] = *result;
}

static void on_end(void *user, int result)
{
    struct heard *heard = user;
    CHECK_EQ(heard->end, 1);
    heard->end = result;
}

void listen_to(splice_transfer_options *options, struct heard *heard)
{
    memset(options, 0, sizeof *options);
    memset(heard, 0, sizeof *heard);
    heard->end = 1;
    options->size = sizeof *options;
    options->retry_seconds = -1;
    options->on_progress = on_progress;
    options->on_result = on_result;
    options->on_end = on_end;
    options->user = heard;
}

static int run(int make(const char *, const splice_file *, size_t, const splice_transfer_options *, splice_transfer **,
                        splice_error *),
               const char *url, const char *local, struct heard *heard)
{
    splice_transfer_options options;
    listen_to(&options, heard);
    splice_file file = {path("%s", local), NULL};
    splice_transfer *transfer;
    splice_error error;
    int code = make(url, &file, 1, &options, &transfer, &error);
    if (code != 0)
        return code;
    code = splice_transfer_run(transfer, &error);
    CHECK_EQ(heard->end, code);
    CHECK_EQ(heard->count, 1);
    CHECK_EQ(heard->results[0].code, code);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    return code;
}

int put(const char *url, const char *local, struct heard *heard)
{
    return run(splice_put, url, local, heard);
}

int get(const char *url, const char *local, struct heard *heard)
{
    return run(splice_get, url, local, heard);
}
