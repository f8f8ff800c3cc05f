/* HTTP for nginx, FTP for vsftpd, and the two letters of the bare loop. */
#include "net.h"
#include "peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 4096

static void plain_open(struct session *session)
{
    session->fd = session->small ? dial_small(session->port) : dial(session->port);
    session->data = -1;
}

/* HTTP/1.1, connections kept. */

static void http_begin_get(struct session *session, const char *path)
{
    char head[HEAD_MAX];
    int count = snprintf(head, sizeof head, "GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    send_all(session->fd, head, (size_t)count, 0);
}

/* Reads exactly the head of an answer, and leaves the body in the socket. Returns the status. */
static int recv_head(int fd, uint64_t *length)
{
    char head[HEAD_MAX + 1];
    for (;;) {
        ssize_t got = recv(fd, head, HEAD_MAX, MSG_PEEK);
        if (got <= 0)
            fail("recv: %s", got == 0 ? "the server closed the connection" : strerror(errno));
        head[got] = 0;
        char *end = strstr(head, "\r\n\r\n");
        if (end == NULL && got == HEAD_MAX)
            fail("the server's answer has no end");
        if (end == NULL) {
            usleep(50);
            continue;
        }
        recv_all(fd, head, (size_t)(end + 4 - head));
        end[4] = 0;
        char *field = strcasestr(head, "\r\nContent-Length:");
        *length = field == NULL ? 0 : strtoull(field + 17, NULL, 10);
        return atoi(head + strlen("HTTP/1.1 "));
    }
}

static uint64_t http_finish_get(struct session *session)
{
    uint64_t length;
    int status = recv_head(session->fd, &length);
    if (status != 200)
        fail("the HTTP server answered %d", status);
    discard(session->fd, length);
    return length;
}

static void http_put(struct session *session, const struct source *source, const char *path)
{
    char head[HEAD_MAX];
    int count = snprintf(
        head, sizeof head, "PUT /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %llu\r\n\r\n", path,
        (unsigned long long)source->size);
    send_all(session->fd, head, (size_t)count, MSG_MORE);
    send_file(session->fd, source->file, 0, source->size);
    uint64_t length;
    int status = recv_head(session->fd, &length);
    if (status / 100 != 2)
        fail("the HTTP server answered %d", status);
    discard(session->fd, length);
}

const struct peer http_peer = {"http", plain_open, http_begin_get, http_finish_get, http_put};

/* FTP, anonymous, binary, extended passive. */

/* Reads one answer of one line; returns its code and leaves the line in `line`. */
static int ftp_answer(int fd, char line[HEAD_MAX])
{
    size_t count = 0;
    do {
        if (count == HEAD_MAX - 1)
            fail("the FTP server's answer has no end");
        recv_all(fd, line + count, 1);
    } while (line[count++] != '\n');
    line[count] = 0;
    return atoi(line);
}

static void ftp_say(
    struct session *session, const char *verb, const char *argument, int wanted, char line[HEAD_MAX])
{
    char command[HEAD_MAX];
    int count = snprintf(command, sizeof command, "%s%s%s\r\n", verb, *argument ? " " : "", argument);
    send_all(session->fd, command, (size_t)count, 0);
    int code = ftp_answer(session->fd, line);
    if (code != wanted)
        fail("the FTP server answered to %s: %s", verb, line);
}

static void ftp_open(struct session *session)
{
    char line[HEAD_MAX];
    plain_open(session);
    if (ftp_answer(session->fd, line) != 220)
        fail("the FTP server says: %s", line);
    ftp_say(session, "USER", "anonymous", 331, line);
    ftp_say(session, "PASS", "bench", 230, line);
    ftp_say(session, "TYPE", "I", 200, line);
}

static void ftp_transfer(struct session *session, const char *verb, const char *path)
{
    char line[HEAD_MAX];
    ftp_say(session, "EPSV", "", 229, line);
    char *port = strstr(line, "|||");
    if (port == NULL)
        fail("the FTP server names no port: %s", line);
    session->data = session->small ? dial_small(atoi(port + 3)) : dial(atoi(port + 3));
    ftp_say(session, verb, path, 150, line);
}

static void ftp_end(struct session *session)
{
    char line[HEAD_MAX];
    close(session->data);
    session->data = -1;
    if (ftp_answer(session->fd, line) != 226)
        fail("the FTP server says: %s", line);
}

static void ftp_begin_get(struct session *session, const char *path) { ftp_transfer(session, "RETR", path); }

static uint64_t ftp_finish_get(struct session *session)
{
    uint64_t total = discard_to_end(session->data);
    ftp_end(session);
    return total;
}

static void ftp_put(struct session *session, const struct source *source, const char *path)
{
    ftp_transfer(session, "STOR", path);
    send_file(session->data, source->file, 0, source->size);
    ftp_end(session);
}

const struct peer ftp_peer = {"ftp", ftp_open, ftp_begin_get, ftp_finish_get, ftp_put};

/* The bare loop: 'G' PATH newline is answered with the bytes and the end; 'P' PATH newline takes bytes up to
 * the end and answers with one byte. One request a connection. */

static void bare_say(struct session *session, char verb, const char *path)
{
    char line[HEAD_MAX];
    int count = snprintf(line, sizeof line, "%c%s\n", verb, path);
    send_all(session->fd, line, (size_t)count, 0);
}

static void bare_begin_get(struct session *session, const char *path) { bare_say(session, 'G', path); }

static uint64_t bare_finish_get(struct session *session) { return discard_to_end(session->fd); }

static void bare_put(struct session *session, const struct source *source, const char *path)
{
    bare_say(session, 'P', path);
    send_file(session->fd, source->file, 0, source->size);
    shutdown(session->fd, SHUT_WR);
    char done;
    recv_all(session->fd, &done, 1);
}

const struct peer bare_peer = {"bare", plain_open, bare_begin_get, bare_finish_get, bare_put};
