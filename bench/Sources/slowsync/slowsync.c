/* Makes each sync take as long as on a flash card: every fsync, fdatasync and syncfs returns so many microseconds
 * later as BENCH_SYNC_MICROSECONDS says. Preloaded into servers and clients alike, so that a disk on which a sync costs
 * next to nothing shows what programs do on those where it does not. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static struct timespec extra;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("BENCH_SYNC_MICROSECONDS");
    long microseconds = text == NULL ? 0 : strtol(text, NULL, 10);
    extra = (struct timespec){.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
}

static int slowly(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(fd);
    if (result == 0)
        nanosleep(&extra, NULL);
    return result;
}

int fsync(int fd) { return slowly("fsync", fd); }

int fdatasync(int fd) { return slowly("fdatasync", fd); }

int syncfs(int fd) { return slowly("syncfs", fd); }
