/* A server says what its clients do, and lets them be listed, limited and disconnected. */
#include "check.h"

#include <pthread.h>
#include <uv.h>

void test_events_in_order(void)
{
    struct served served;
    struct heard heard;
    make_folder("v");
    make_file("v-file", 3 * MIB + 5, 7);
    begin_serving(&served, "v", 0);
    CHECK_EQ(put(served.url, "v-file", &heard), 0);
    CHECK_EQ(wait_for(SPLICE_CLIENT_DISCONNECTED, 0).result, 0);

    splice_event connected = wait_for(SPLICE_CLIENT_CONNECTED, 0);
    CHECK(connected.client > 0);
    CHECK(strncmp(connected.address, "127.0.0.1:", 10) == 0);
    splice_event began = wait_for(SPLICE_TRANSFER_BEGAN, 0);
    CHECK_EQ(began.client, connected.client);
    CHECK(began.transfer > 0);
    CHECK_EQ(began.direction, SPLICE_UPLOAD);
    CHECK_EQ(began.done, 0);
    CHECK_EQ(began.total, 3 * MIB + 5);
    CHECK_TEXT(began.path, "v-file");
    size_t steps = count_of(SPLICE_TRANSFER_PROGRESSED);
    CHECK(steps > 0);
    for (size_t i = 0; i < steps; i++) {
        splice_event step = wait_for(SPLICE_TRANSFER_PROGRESSED, i);
        CHECK_EQ(step.transfer, began.transfer);
        CHECK(step.done > (i > 0 ? wait_for(SPLICE_TRANSFER_PROGRESSED, i - 1).done : 0));
        CHECK(step.done <= began.total);
    }
    splice_event ended = wait_for(SPLICE_TRANSFER_ENDED, 0);
    CHECK_EQ(ended.client, connected.client);
    CHECK_EQ(ended.result, 0);
    CHECK_EQ(ended.done, ended.total);

    /* The next one has another number; and a transfer that was refused never began. */
    char url[80];
    snprintf(url, sizeof url, "%snothing", served.url);
    CHECK_EQ(get(url, "v-copy", &heard), SPLICE_ERR_NOT_FOUND);
    CHECK(wait_for(SPLICE_CLIENT_CONNECTED, 1).client != connected.client);
    wait_for(SPLICE_CLIENT_DISCONNECTED, 1);
    CHECK_EQ(count_of(SPLICE_TRANSFER_BEGAN), 1);
    end_serving(&served);
}

/* From a callback of the server, in the middle of an upload. */
void test_kick(void)
{
    struct served served;
    struct heard heard;
    make_folder("k");
    make_file("k-file", 6 * MIB, 8);
    begin_serving(&served, "k", SLOWLY | KICK_AT_PROGRESS);
    CHECK_EQ(put(served.url, "k-file", &heard), SPLICE_ERR_KICKED);
    CHECK_EQ(heard.results[0].attempts, 1);
    CHECK_EQ(kick_result(), 0);
    CHECK_EQ(wait_for(SPLICE_TRANSFER_ENDED, 0).result, SPLICE_ERR_DISCONNECTED);
    splice_event gone = wait_for(SPLICE_CLIENT_DISCONNECTED, 0);
    CHECK_EQ(gone.result, SPLICE_ERR_KICKED);
    CHECK(gone.text != NULL);
    CHECK(!exists("k/k-file"));

    /* It may come back, and goes on. */
    CHECK_EQ(put(served.url, "k-file", &heard), 0);
    CHECK(heard.results[0].resumed_from > 0);
    check_same("k-file", "k/k-file");
    end_serving(&served);
}

struct listing {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    splice_client_info clients[8];
    char names[8][128];
    size_t count;
    int ended;
    int result;
};

static void note_client(void *user, const splice_client_info *client)
{
    struct listing *listing = user;
    pthread_mutex_lock(&listing->mutex);
    if (client) {
        CHECK_EQ(client->size, sizeof *client);
        snprintf(listing->names[listing->count], sizeof listing->names[0], "%s %s", client->address, client->path);
        listing->clients[listing->count++] = *client;
    } else {
        listing->ended = 1;
        pthread_cond_broadcast(&listing->changed);
    }
    pthread_mutex_unlock(&listing->mutex);
}

static void note_result(void *user, int result)
{
    struct listing *listing = user;
    listing->result = result;
    note_client(user, NULL);
}

static void wait_for_end(struct listing *listing)
{
    pthread_mutex_lock(&listing->mutex);
    while (!listing->ended)
        pthread_cond_wait(&listing->changed, &listing->mutex);
    listing->ended = 0;
    pthread_mutex_unlock(&listing->mutex);
}

void test_list_and_limit(void)
{
    struct served served;
    struct heard heard, other;
    splice_transfer_options options;
    splice_transfer *transfer;
    splice_error error;
    make_folder("l");
    make_file("l-file", 4 * MIB, 9);
    make_file("l-other", 10, 10);
    begin_serving(&served, "l", SLOWLY | MANY_WORKERS);
    struct listing listing = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    CHECK_EQ(splice_server_list(served.server, note_client, &listing), 0);
    wait_for_end(&listing);
    CHECK_EQ(listing.count, 0);
    CHECK_EQ(splice_server_list(served.server, NULL, NULL), SPLICE_ERR_INVALID);

    listen_to(&options, &heard);
    splice_file file = {path("l-file"), NULL};
    CHECK_EQ(splice_put(served.url, &file, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_start(transfer, &error), 0);
    splice_event step = wait_for(SPLICE_TRANSFER_PROGRESSED, 0);
    CHECK_EQ(splice_server_list(served.server, note_client, &listing), 0);
    wait_for_end(&listing);
    CHECK_EQ(listing.count, 1);
    splice_client_info *client = &listing.clients[0];
    CHECK_EQ(client->client, step.client);
    CHECK_EQ(client->activity, SPLICE_UPLOADING);
    CHECK_EQ(client->requests, 1);
    CHECK_EQ(client->total, 4 * MIB);
    CHECK(client->done >= step.done && client->received_bytes >= client->done);
    char wanted[128];
    snprintf(wanted, sizeof wanted, "%s l-file", wait_for(SPLICE_CLIENT_CONNECTED, 0).address);
    CHECK_TEXT(listing.names[0], wanted);

    /* Full: the next one is told so, and is no client. */
    CHECK_EQ(splice_server_set_clients_max(served.server, 0), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_set_clients_max(served.server, 1), 0);
    CHECK_EQ(put(served.url, "l-other", &other), SPLICE_ERR_BUSY);
    CHECK_EQ(other.results[0].resumable, 1);
    CHECK_EQ(count_of(SPLICE_CLIENT_CONNECTED), 1);
    CHECK_EQ(splice_server_set_clients_max(served.server, 2), 0);
    CHECK_EQ(put(served.url, "l-other", &other), 0);
    CHECK_EQ(count_of(SPLICE_CLIENT_CONNECTED), 2);

    CHECK_EQ(splice_server_disconnect(served.server, 1000000, note_result, &listing), 0);
    wait_for_end(&listing);
    CHECK_EQ(listing.result, SPLICE_ERR_NOT_FOUND);
    CHECK_EQ(splice_transfer_wait(transfer, &error), 0);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    check_same("l-file", "l/l-file");

    /* Whoever is promised an answer gets it, also of a server that is stopping. */
    CHECK_EQ(splice_server_stop(served.server), 0);
    if (splice_server_list(served.server, note_client, &listing) == 0)
        wait_for_end(&listing);
    CHECK_EQ(splice_server_wait(served.server), 0);
    CHECK_EQ(splice_server_list(served.server, note_client, &listing), SPLICE_ERR_STATE);
    CHECK_EQ(splice_server_disconnect(served.server, 1, NULL, NULL), SPLICE_ERR_STATE);
    end_serving(&served);
}

static void *serve(void *server)
{
    CHECK_EQ(splice_server_run(server, NULL), 0);
    return NULL;
}

static splice_server *waits_for_itself;

static void wait_from_within(void *user, const splice_client_info *client)
{
    CHECK_EQ(splice_server_wait(waits_for_itself), SPLICE_ERR_STATE);
    CHECK_EQ(splice_server_free(waits_for_itself), SPLICE_ERR_STATE);
    note_client(user, client);
}

void test_states_of_servers(void)
{
    splice_server_options options;
    splice_server *server;
    splice_error error;
    struct heard heard;
    struct listing listing = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    char url[64];
    make_folder("t");
    make_file("t-file", 10, 11);
    make_options(&options, 0);

    /* Stopped before it ran. */
    CHECK_EQ(splice_server_open(path("t"), &options, &server, &error), 0);
    CHECK_EQ(splice_server_list(server, note_client, &listing), SPLICE_ERR_STATE);
    CHECK_EQ(splice_server_stop(server), 0);
    CHECK_EQ(splice_server_run(server, &error), 0);
    CHECK_EQ(count_of(SPLICE_SERVER_STOPPED), 1);
    CHECK_EQ(splice_server_run(server, &error), SPLICE_ERR_STATE);
    CHECK_EQ(splice_server_free(server), 0);

    /* On a thread of ours: it is not freed under it. Whoever connects early waits until it serves. */
    CHECK_EQ(splice_server_open(path("t"), &options, &server, &error), 0);
    url_of(server, url, sizeof url);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, serve, server), 0);
    CHECK_EQ(put(url, "t-file", &heard), 0);
    CHECK_EQ(splice_server_free(server), SPLICE_ERR_STATE);
    CHECK_EQ(put(url, "t-file", &heard), 0); /* which has had no effect */
    CHECK_EQ(splice_server_stop(server), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(splice_server_free(server), 0);
    check_same("t-file", "t/t-file");

    /* A server does not wait for itself; its handle survives that. */
    make_options(&options, 0);
    CHECK_EQ(splice_server_open(path("t"), &options, &server, &error), 0);
    waits_for_itself = server;
    CHECK_EQ(splice_server_start(server, &error), 0);
    CHECK_EQ(splice_server_start(server, &error), SPLICE_ERR_STATE);
    CHECK_EQ(splice_server_list(server, wait_from_within, &listing), 0);
    wait_for_end(&listing);
    CHECK_EQ(splice_server_free(server), 0);
}

static splice_server *attached;
static int has_stopped;

static void on_attached_event(void *user, const splice_event *event)
{
    uv_timer_t *timer = user;
    if (event->type == SPLICE_CLIENT_DISCONNECTED)
        splice_server_stop(attached);
    if (event->type != SPLICE_SERVER_STOPPED)
        return;
    has_stopped++;
    uv_close((uv_handle_t *)timer, NULL);
    /* Nothing is left of it in the loop. */
    CHECK_EQ(splice_server_free(attached), 0);
}

static void tick(uv_timer_t *timer)
{
    ++*(int *)timer->data;
}

static void *put_one(void *url)
{
    struct heard heard;
    CHECK_EQ(put(url, "a-file", &heard), 0);
    return NULL;
}

/* With one worker, and with more, which have threads of their own; the loop goes on with what else it has to do. */
void test_attached_to_a_loop(void)
{
    make_folder("a");
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        make_file("a-file", 2 * MIB, workers);
        splice_server_options options;
        splice_error error;
        uv_loop_t loop;
        uv_timer_t timer;
        int ticks = 0;
        has_stopped = 0;
        CHECK_EQ(uv_loop_init(&loop), 0);
        uv_timer_init(&loop, &timer);
        timer.data = &ticks;
        uv_timer_start(&timer, tick, 1, 1);
        make_options(&options, 0);
        options.workers = workers;
        options.on_event = on_attached_event;
        options.user = &timer;
        CHECK_EQ(splice_server_open(path("a"), &options, &attached, &error), 0);
        CHECK_EQ(splice_server_attach(attached, NULL, &error), SPLICE_ERR_INVALID);
        CHECK_EQ(splice_server_attach(attached, &loop, &error), 0);
        CHECK_EQ(splice_server_attach(attached, &loop, &error), SPLICE_ERR_STATE);
        CHECK_EQ(splice_server_free(attached), SPLICE_ERR_STATE);

        char url[64];
        pthread_t thread;
        url_of(attached, url, sizeof url);
        CHECK_EQ(pthread_create(&thread, NULL, put_one, url), 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        pthread_join(thread, NULL);
        CHECK(ticks > 0);
        CHECK_EQ(has_stopped, 1);
        CHECK_EQ(uv_loop_close(&loop), 0);
        check_same("a-file", "a/a-file");
    }
}
