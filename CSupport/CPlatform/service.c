/* The two sides of a service manager: sockets that it opened for us, and datagrams that it wants. */
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int csplice_adopt_listener(int fd)
{
    int listening = 0, domain = 0, type = 0;
    socklen_t size = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return -errno;
    if (!listening || type != SOCK_STREAM || (domain != AF_INET && domain != AF_INET6))
        return -EINVAL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    return fd;
}

int csplice_connect_datagram(const uint8_t *path, size_t count)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (count == 0 || count >= sizeof to.sun_path)
        return -EINVAL;
    memcpy(to.sun_path, path, count);
    if (path[0] == '@') /* a name that no file system holds */
        to.sun_path[0] = 0;
    else if (path[0] != '/')
        return -EINVAL;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count);
    if (connect(fd, (struct sockaddr *)&to, size) < 0) {
        int failure = -errno;
        close(fd);
        return failure;
    }
    return fd;
}

int csplice_send_datagram(int fd, const uint8_t *bytes, size_t count)
{
    ssize_t sent;
    do
        sent = send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}
