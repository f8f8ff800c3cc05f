/*
 * Sends every picture of a camera to a server, and deletes it when the server has it for good.
 *
 *   cc camera_uploader.c -o camera_uploader $(pkg-config --cflags --libs --static splice)
 *   ./camera_uploader FOLDER splice://HOST[:PORT]/FOLDER/
 *
 * Watches FOLDER with inotify. A file is taken when nobody has it open for writing any more, and deleted when its
 * receipt says that the server has all of it, compared, on stable storage. Links may break and this machine may lose
 * power at any time: what was sent so far is not sent again. SIGTERM and SIGINT end the program.
 */
#define _GNU_SOURCE /* F_SETLEASE */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <splice.h>

enum { BATCH_MAX = 64, PAUSE_MILLISECONDS = 10 * 1000 };

/* One file on its way. */
struct picture {
    char *path;
    struct stat status; /* as it was when it was taken */
};

static struct picture batch[BATCH_MAX];
static size_t batch_count;
static size_t batch_deleted;
static int batch_ended; /* an eventfd: the transfer's thread tells the main one */

/* The kernel grants a read lease on a file that nobody has open for writing. */
static int is_finished(const char *path, struct stat *status)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int finished = fstat(fd, status) == 0 && S_ISREG(status->st_mode) && fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
    close(fd); /* which gives the lease back */
    return finished;
}

static int is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* On the transfer's thread; the main one leaves the batch alone meanwhile. */
static void on_result(void *user, const splice_result *result)
{
    (void)user;
    if (result->code != 0 || !result->durable) {
        fprintf(stderr, "%s\n", result->text);
        return;
    }
    for (size_t i = 0; i < batch_count; i++) {
        struct stat now;
        if (strcmp(batch[i].path, result->local) != 0)
            continue;
        /* Written again since? Then it is another picture, and its turn comes. */
        if (is_finished(batch[i].path, &now) && is_same(&now, &batch[i].status) &&
            unlink(batch[i].path) == 0) {
            batch_deleted++;
            printf("sent %s\n", batch[i].path);
            fflush(stdout);
        }
    }
}

static void on_end(void *user, int result)
{
    (void)user;
    /* What could not be sent, or not be deleted, is for later: 2. */
    uint64_t word = result == 0 && batch_deleted == batch_count ? 1 : 2;
    if (write(batch_ended, &word, sizeof word) != sizeof word)
        abort(); /* an eventfd takes any number that is not near its end */
}

/* Fills the batch with what is finished. */
static void look(const char *folder)
{
    DIR *directory = opendir(folder);
    if (!directory) {
        perror(folder);
        return;
    }
    struct dirent *entry;
    while (batch_count < BATCH_MAX && (entry = readdir(directory))) {
        struct picture *next = &batch[batch_count];
        if (entry->d_name[0] == '.' || asprintf(&next->path, "%s/%s", folder, entry->d_name) < 0)
            continue;
        if (is_finished(next->path, &next->status))
            batch_count++;
        else
            free(next->path);
    }
    closedir(directory);
}

static splice_transfer *send_batch(const char *url)
{
    splice_file files[BATCH_MAX];
    for (size_t i = 0; i < batch_count; i++) {
        files[i].local = batch[i].path;
        files[i].remote = NULL; /* the same name there */
    }
    splice_transfer_options options = {0};
    options.size = sizeof options;
    options.on_result = on_result;
    options.on_end = on_end;
    splice_transfer *transfer = NULL;
    splice_error error;
    if (splice_put(url, files, batch_count, &options, &transfer, &error) != 0 ||
        splice_transfer_start(transfer, &error) != 0) {
        fprintf(stderr, "%s\n", error.text);
        splice_transfer_free(transfer);
        exit(1);
    }
    return transfer;
}

static void forget_batch(void)
{
    batch_deleted = 0;
    while (batch_count > 0)
        free(batch[--batch_count].path);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s FOLDER splice://HOST[:PORT]/FOLDER/\n", argv[0]);
        return 2;
    }
    const char *folder = argv[1], *url = argv[2];
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int asked_to_end = signalfd(-1, &ends, SFD_CLOEXEC);
    int changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    batch_ended = eventfd(0, EFD_CLOEXEC);
    if (asked_to_end < 0 || changes < 0 || batch_ended < 0 ||
        inotify_add_watch(changes, folder, IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
        perror(folder);
        return 1;
    }

    splice_transfer *transfer = NULL;
    int has_news = 1; /* what is there already */
    for (;;) {
        if (has_news && !transfer) {
            has_news = 0;
            look(folder);
            if (batch_count > 0)
                transfer = send_batch(url);
        }
        struct pollfd fds[] = {{asked_to_end, POLLIN, 0}, {changes, POLLIN, 0}, {batch_ended, POLLIN, 0}};
        if (poll(fds, 3, PAUSE_MILLISECONDS) < 0 && errno != EINTR)
            return 1;
        if (fds[0].revents)
            break;
        if (fds[1].revents) {
            char events[4096];
            while (read(changes, events, sizeof events) > 0)
                has_news = 1;
        }
        if (fds[2].revents) {
            uint64_t word = 0;
            if (read(batch_ended, &word, sizeof word) != sizeof word)
                return 1;
            splice_transfer_free(transfer);
            transfer = NULL;
            forget_batch();
            has_news |= word == 1; /* more than a batch may have been waiting */
        } else if (!fds[1].revents) {
            has_news = 1;
        }
    }
    splice_transfer_free(transfer); /* keeps what was sent */
    forget_batch();
    close(asked_to_end);
    close(changes);
    close(batch_ended);
    return 0;
}
