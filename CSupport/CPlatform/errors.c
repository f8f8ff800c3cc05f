/* Errno.swift spells these numbers out; a platform that numbers them differently must not build silently. */
#include <errno.h>

_Static_assert(EPERM == 1 && ENOENT == 2 && EINTR == 4 && EIO == 5 && ENXIO == 6, "errno");
_Static_assert(EBADF == 9 && EAGAIN == 11 && EWOULDBLOCK == 11 && ENOMEM == 12 && EACCES == 13, "errno");
_Static_assert(EBUSY == 16 && EEXIST == 17 && EXDEV == 18 && ENOTDIR == 20 && EISDIR == 21, "errno");
_Static_assert(EINVAL == 22 && ENFILE == 23 && EMFILE == 24 && ETXTBSY == 26 && EFBIG == 27, "errno");
_Static_assert(ENOSPC == 28 && ESPIPE == 29 && EROFS == 30 && EMLINK == 31 && EPIPE == 32, "errno");
_Static_assert(ENAMETOOLONG == 36 && ENOSYS == 38 && ENOTEMPTY == 39 && ELOOP == 40, "errno");
_Static_assert(EOVERFLOW == 75 && EOPNOTSUPP == 95 && EADDRINUSE == 98, "errno");
_Static_assert(EADDRNOTAVAIL == 99 && ENETDOWN == 100 && ENETUNREACH == 101, "errno");
_Static_assert(ECONNABORTED == 103 && ECONNRESET == 104 && ENOBUFS == 105 && ENOTCONN == 107, "errno");
_Static_assert(ETIMEDOUT == 110 && ECONNREFUSED == 111 && EHOSTDOWN == 112, "errno");
_Static_assert(EHOSTUNREACH == 113 && EINPROGRESS == 115 && ESTALE == 116 && EDQUOT == 122, "errno");
