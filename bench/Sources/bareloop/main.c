/* What the machine can do: one connection at a time, blocking, no protocol to speak of.
 *
 *     bareloop ROOT PORT-FILE [SYNC-BYTES]
 *
 * 'G' PATH newline: sendfile until the end. 'P' PATH newline: recv and write until the peer's end, then one
 * byte.
 * With SYNC-BYTES an upload is fdatasync'd after each so many bytes and at its end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (256 << 10)

static char buffer[BUFFER_SIZE] __attribute__((aligned(4096)));

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bareloop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_whole(int peer, const char *path)
{
    int file = open(path, O_RDONLY);
    if (file < 0)
        fail(path);
    ssize_t sent;
    while ((sent = sendfile(peer, file, NULL, 1 << 30)) > 0) {}
    if (sent < 0 && errno != EPIPE && errno != ECONNRESET)
        fail("sendfile");
    close(file);
}

static void recv_whole(int peer, const char *path, size_t sync_bytes)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0)
        fail(path);
    size_t unsynced = 0;
    ssize_t got;
    while ((got = recv(peer, buffer, sizeof buffer, 0)) > 0) {
        for (ssize_t written = 0; written < got;) {
            ssize_t step = write(file, buffer + written, (size_t)(got - written));
            if (step < 0)
                fail("write");
            written += step;
        }
        unsynced += (size_t)got;
        if (sync_bytes > 0 && unsynced >= sync_bytes) {
            if (fdatasync(file) < 0)
                fail("fdatasync");
            unsynced = 0;
        }
    }
    if (sync_bytes > 0 && fdatasync(file) < 0)
        fail("fdatasync");
    close(file);
    send(peer, "", 1, MSG_NOSIGNAL);
}

static void serve(int peer, size_t sync_bytes)
{
    char line[4096];
    size_t count = 0;
    do {
        if (count == sizeof line || recv(peer, line + count, 1, 0) != 1)
            return;
    } while (line[count++] != '\n');
    line[count - 1] = 0;
    if (line[0] == 'G')
        send_whole(peer, line + 1);
    else
        recv_whole(peer, line + 1, sync_bytes);
}

int main(int count, char **arguments)
{
    if (count < 3 || chdir(arguments[1]) < 0)
        fail("usage: bareloop ROOT PORT-FILE [SYNC-BYTES]");
    size_t sync_bytes = count > 3 ? strtoull(arguments[3], NULL, 10) : 0;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, size) < 0 || listen(listener, 128) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) < 0)
        fail("listen");
    FILE *file = fopen(arguments[2], "w");
    if (file == NULL || fprintf(file, "%d\n", ntohs(at.sin_port)) < 0 || fclose(file) != 0)
        fail(arguments[2]);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0)
            fail("accept");
        serve(peer, sync_bytes);
        close(peer);
    }
}
