/*
 * Serves a folder inside a libuv loop that has other things to do.
 *
 *   cc embedded_server.c -o embedded_server $(pkg-config --cflags --libs --static splice)
 *   ./embedded_server FOLDER [ADDRESS:PORT]
 *
 * SIGUSR1 lists the clients, SIGUSR2 disconnects them all, SIGTERM ends the program.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include <splice.h>

static uv_timer_t heartbeat;
static uv_signal_t end, show, part;
static splice_server *server;

/* One worker, in our own loop: everything here happens on one thread, and needs no locks. */
static void on_event(void *user, const splice_event *event)
{
    (void)user;
    switch (event->type) {
    case SPLICE_CLIENT_CONNECTED:
        printf("client %" PRIu64 " connected from %s\n", event->client, event->address);
        break;
    case SPLICE_CLIENT_DISCONNECTED:
        printf("client %" PRIu64 " disconnected: %s\n", event->client, event->text);
        break;
    case SPLICE_TRANSFER_BEGAN:
        printf("client %" PRIu64 " %s %s from byte %" PRIu64 " of %" PRIu64 "\n", event->client,
               event->direction == SPLICE_UPLOAD ? "sends" : "fetches", event->path, event->done,
               event->total);
        break;
    case SPLICE_TRANSFER_PROGRESSED:
        break;
    case SPLICE_TRANSFER_ENDED:
        printf("client %" PRIu64 " %s: %s\n", event->client, event->path,
               event->result == 0 ? "done" : splice_strerror(event->result));
        break;
    case SPLICE_SERVER_STOPPED:
        puts("stopped");
        uv_close((uv_handle_t *)&heartbeat, NULL);
        uv_close((uv_handle_t *)&end, NULL);
        uv_close((uv_handle_t *)&show, NULL);
        uv_close((uv_handle_t *)&part, NULL);
        break;
    }
    fflush(stdout);
}

/* What else this program does. */
static void on_heartbeat(uv_timer_t *timer)
{
    (void)timer;
}

static void on_end(uv_signal_t *signal, int number)
{
    (void)signal, (void)number;
    splice_server_stop(server);
}

static void print_client(void *user, const splice_client_info *client)
{
    (void)user;
    if (client)
        printf("%" PRIu64 " %s %s %" PRIu64 "/%" PRIu64 "\n", client->client, client->address, client->path,
               client->done, client->total);
    else
        puts("end of list");
    fflush(stdout);
}

static void on_show(uv_signal_t *signal, int number)
{
    (void)signal, (void)number;
    splice_server_list(server, print_client, NULL);
}

static void part_with(void *user, const splice_client_info *client)
{
    (void)user;
    if (client)
        splice_server_disconnect(server, client->client, NULL, NULL);
}

static void on_part(uv_signal_t *signal, int number)
{
    (void)signal, (void)number;
    splice_server_list(server, part_with, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s FOLDER [ADDRESS:PORT]\n", argv[0]);
        return 2;
    }
    uv_loop_t *loop = uv_default_loop();
    const char *listen[] = {argc == 3 ? argv[2] : "127.0.0.1:7420"};
    splice_server_options options = {0};
    options.size = sizeof options;
    options.listen = listen;
    options.listen_count = 1;
    options.on_event = on_event;
    splice_error error;
    if (splice_server_open(argv[1], &options, &server, &error) != 0 ||
        splice_server_attach(server, loop, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        splice_server_free(server);
        return 1;
    }

    uv_timer_init(loop, &heartbeat);
    uv_timer_start(&heartbeat, on_heartbeat, 1000, 1000);
    uv_signal_init(loop, &end);
    uv_signal_start(&end, on_end, SIGTERM);
    uv_signal_init(loop, &show);
    uv_signal_start(&show, on_show, SIGUSR1);
    uv_signal_init(loop, &part);
    uv_signal_start(&part, on_part, SIGUSR2);
    printf("serving %s on port %u\n", argv[1], splice_server_port(server, 0));
    fflush(stdout);

    uv_run(loop, UV_RUN_DEFAULT);
    splice_server_free(server);
    return uv_loop_close(loop) == 0 ? 0 : 1;
}
