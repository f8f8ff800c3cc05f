/* What the tests of the library share: checks that stop at once, files, a server that remembers its events. */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <splice.h>

#define CHECK(condition)                                                                                       \
    do {                                                                                                       \
        if (!(condition)) {                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                    \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)

#define CHECK_EQ(actual, expected)                                                                             \
    do {                                                                                                       \
        long long actual_ = (long long)(actual), expected_ = (long long)(expected);                            \
        if (actual_ != expected_) {                                                                            \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld (%s)\n", __FILE__, __LINE__, #actual, actual_, expected_, \
                    #expected);                                                                                \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)

#define CHECK_TEXT(actual, expected) CHECK(strcmp((actual), (expected)) == 0)

enum { MIB = 1 << 20 };

/* A path in the folder of the test run; valid until 16 more were asked for. */
const char *path(const char *format, ...) __attribute__((format(printf, 1, 2)));
void make_folder(const char *name);
/* The same bytes for the same seed. */
void make_file(const char *name, size_t size, unsigned seed);
void check_same(const char *one, const char *other);
int exists(const char *name);

/* A server on a free port of the loopback address, and everything that it said. */
struct served {
    splice_server *server;
    char url[64]; /* with "/" at its end */
};

enum { KICK_AT_PROGRESS = 1, SLOWLY = 2, READ_ONLY = 4, MANY_WORKERS = 8, BRISKLY = 16 };

void begin_serving(struct served *served, const char *root, int how);
void end_serving(struct served *served);
/* The options that begin_serving uses; the events are remembered until the next one begins. */
void make_options(splice_server_options *options, int how);
const char *url_of(splice_server *server, char *url, size_t capacity);
/* The event of this type with this index; waits for it. */
splice_event wait_for(splice_event_type type, size_t index);
size_t count_of(splice_event_type type);
int kick_result(void); /* what the kick of KICK_AT_PROGRESS was told; waits for it */

/* What a transfer said. */
struct heard {
    splice_result results[16];
    char texts[16][256];
    size_t count;
    size_t progressed;
    int end;
    splice_transfer *cancels; /* at the first progress beyond cancel_at */
    uint64_t cancel_at;
};

void listen_to(splice_transfer_options *options, struct heard *heard);
/* Makes a transfer of one file and runs it, without trying again. Returns what it returned. */
int put(const char *url, const char *local, struct heard *heard);
int get(const char *url, const char *local, struct heard *heard);

void test_errors_of_servers(void);
void test_errors_of_transfers(void);
void test_options_of_other_versions(void);
void test_files_go_and_come(void);
void test_cancelled_put_goes_on(void);
void test_cancelled_get_goes_on(void);
void test_states_of_transfers(void);
void test_events_in_order(void);
void test_kick(void);
void test_list_and_limit(void);
void test_states_of_servers(void);
void test_attached_to_a_loop(void);

#endif
