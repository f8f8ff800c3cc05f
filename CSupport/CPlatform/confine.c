/* What this process gives up for good: other users' rights, and the file system outside of one folder. */
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset /* one number on all machines but alpha */
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/*
 * Landlock of the kernel that runs, which may be newer or older than the headers that this is built with. So
 * its numbers stand here; they are part of the kernel's ABI. See landlock(7).
 */
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SYM (UINT64_C(1) << 12)
#define FS_REFER (UINT64_C(1) << 13)     /* ABI 2: rename from one directory to another */
#define FS_TRUNCATE (UINT64_C(1) << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define FS_OF_ABI_1 ((FS_MAKE_SYM << 1) - 1)

#define NET_BIND_AND_CONNECT_TCP UINT64_C(3)        /* ABI 4 */
#define SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS UINT64_C(3) /* ABI 6 */

struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

struct __attribute__((packed)) path_beneath {
    uint64_t allowed;
    int32_t parent;
};

static int allow(int ruleset, int directory, uint64_t rights)
{
    struct path_beneath rule = {.allowed = rights, .parent = directory};
    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0u) < 0 ? -errno : 0;
}

int csplice_confine(int directory, int writing, int removing, int reading)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);
    if (abi < 0)
        return -errno;
    /* The first version refuses every rename to another directory, and a finished upload is one. */
    if (abi < 2)
        return -EOPNOTSUPP;

    struct ruleset rules = {.handled_fs = FS_OF_ABI_1 | FS_REFER};
    size_t size = sizeof rules.handled_fs;
    if (abi >= 3)
        rules.handled_fs |= FS_TRUNCATE;
    if (abi >= 4) {
        rules.handled_net = NET_BIND_AND_CONNECT_TCP; /* no rule follows: all listening sockets are open */
        size = 2 * sizeof(uint64_t);
    }
    if (abi >= 5)
        rules.handled_fs |= FS_IOCTL_DEV;
    if (abi >= 6) {
        rules.scoped = SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS;
        size = sizeof rules;
    }
    uint64_t rights = FS_READ_FILE | FS_READ_DIR;
    if (writing)
        rights |= FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE;

    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0u);
    if (fd < 0)
        return -errno;
    int result = allow(fd, directory, rights & rules.handled_fs);
    if (result == 0 && removing >= 0)
        result = allow(fd, removing, FS_REMOVE_FILE);
    if (result == 0 && reading >= 0)
        result = allow(fd, reading, FS_READ_FILE | FS_READ_DIR);
    if (result == 0 &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0 || syscall(SYS_landlock_restrict_self, fd, 0u) < 0))
        result = -errno;
    close(fd);
    return result < 0 ? result : (int)abi;
}

int csplice_become_user(uint32_t user, uint32_t group)
{
    if (geteuid() != 0)
        return geteuid() == user && getegid() == group ? 0 : -EPERM;
    if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0)
        return -errno;
    /* Believe it only when the way back is closed. */
    if (user != 0 && setresuid(0, 0, 0) == 0)
        return -EPERM;
    return 0;
}
