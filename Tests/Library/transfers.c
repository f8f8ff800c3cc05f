/* Files arrive whole, and what was cancelled goes on where it was. */
#include "check.h"

#include <pthread.h>

void test_files_go_and_come(void)
{
    struct served served;
    struct heard heard;
    splice_transfer_options options;
    splice_transfer *transfer;
    splice_error error;
    make_folder("f");
    make_folder("f-tree");
    make_folder("f-tree/in");
    make_file("f-one", 5 * MIB + 1, 1);
    make_file("f-two", 0, 2);
    make_file("f-tree/in/three", 100, 3);
    begin_serving(&served, "f", MANY_WORKERS);

    /* Several at once, one under another name; one that is not there does not hold up the others. */
    splice_file files[] = {{path("f-one"), NULL}, {path("no-such-file"), NULL}, {path("f-two"), "sub/empty"}};
    listen_to(&options, &heard);
    options.cache = path("f-cache");
    CHECK_EQ(splice_put(served.url, files, 3, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_run(transfer, &error), SPLICE_ERR_NOT_FOUND);
    CHECK(strstr(error.text, "no-such-file") != NULL);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    CHECK_EQ(heard.count, 3);
    CHECK_EQ(heard.end, SPLICE_ERR_NOT_FOUND);
    CHECK(heard.progressed > 0);
    size_t done = 0;
    for (size_t i = 0; i < 3; i++) {
        if (heard.results[i].code != 0) {
            CHECK_EQ(heard.results[i].code, SPLICE_ERR_NOT_FOUND);
            CHECK_EQ(heard.results[i].resumable, 0);
            continue;
        }
        done++;
        CHECK_EQ(heard.results[i].durable, 1);
        CHECK_EQ(heard.results[i].sent, heard.results[i].total);
        CHECK_EQ(heard.results[i].attempts, 1);
        CHECK_EQ(strlen(heard.results[i].digest), 32);
    }
    CHECK_EQ(done, 2);
    check_same("f-one", "f/f-one");
    check_same("f-two", "f/sub/empty");

    CHECK_EQ(put(served.url, "f-one", &heard), 0);
    CHECK_EQ(heard.results[0].already_there, 1);
    CHECK_EQ(heard.results[0].sent, 0);
    char wanted[700];
    snprintf(wanted, sizeof wanted, "%s|f-one|done", path("f-one"));
    CHECK_TEXT(heard.texts[0], wanted);

    /* Back again: into a folder, and under a new name. */
    make_folder("f-back");
    splice_file back[] = {{path("f-back"), "f-one"}, {path("f-back/new"), "sub/empty"}};
    listen_to(&options, &heard);
    CHECK_EQ(splice_get(served.url, back, 2, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_run(transfer, &error), 0);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    CHECK_EQ(heard.count, 2);
    check_same("f-one", "f-back/f-one");
    check_same("f-two", "f-back/new");

    /* A folder, there and back. */
    splice_file tree = {path("f-tree"), NULL};
    listen_to(&options, &heard);
    options.recursive = 1;
    CHECK_EQ(splice_put(served.url, &tree, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_run(transfer, &error), 0);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    check_same("f-tree/in/three", "f/f-tree/in/three");
    splice_file all = {path("f-all"), NULL};
    listen_to(&options, &heard);
    options.recursive = 1;
    CHECK_EQ(splice_get(served.url, &all, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_run(transfer, &error), 0);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    CHECK_EQ(heard.count, 3);
    check_same("f-tree/in/three", "f-all/f-tree/in/three");
    end_serving(&served);
}

/* Runs until `done` bytes are through, from the callback of which it is cancelled. */
static void cancel_at(splice_transfer *transfer, struct heard *heard, uint64_t done)
{
    splice_error error;
    heard->cancels = transfer;
    heard->cancel_at = done;
    CHECK_EQ(splice_transfer_run(transfer, &error), SPLICE_ERR_CANCELLED);
    CHECK_EQ(error.code, SPLICE_ERR_CANCELLED);
    CHECK_EQ(heard->count, 1);
    CHECK_EQ(heard->results[0].code, SPLICE_ERR_CANCELLED);
    CHECK_EQ(heard->results[0].resumable, 1);
    CHECK_EQ(heard->end, SPLICE_ERR_CANCELLED);
    CHECK_EQ(splice_transfer_free(transfer), 0);
}

void test_cancelled_put_goes_on(void)
{
    struct served served;
    struct heard heard;
    splice_transfer_options options;
    splice_transfer *transfer;
    splice_error error;
    make_folder("p");
    make_file("p-file", 24 * MIB, 4);
    begin_serving(&served, "p", BRISKLY);
    splice_file file = {path("p-file"), NULL};
    listen_to(&options, &heard);
    CHECK_EQ(splice_put(served.url, &file, 1, &options, &transfer, &error), 0);
    cancel_at(transfer, &heard, 8 * MIB);
    splice_event end = wait_for(SPLICE_TRANSFER_ENDED, 0);
    CHECK_EQ(end.result, SPLICE_ERR_DISCONNECTED);
    CHECK(!exists("p/p-file"));
    end_serving(&served);

    begin_serving(&served, "p", 0);
    CHECK_EQ(put(served.url, "p-file", &heard), 0);
    CHECK(heard.results[0].resumed_from >= 8 * MIB);
    CHECK_EQ(heard.results[0].sent, heard.results[0].total - heard.results[0].resumed_from);
    splice_event began = wait_for(SPLICE_TRANSFER_BEGAN, 0);
    CHECK_EQ(began.done, heard.results[0].resumed_from);
    CHECK_EQ(began.total, 24 * MIB);
    check_same("p-file", "p/p-file");
    end_serving(&served);
}

void test_cancelled_get_goes_on(void)
{
    struct served served;
    struct heard heard;
    splice_transfer_options options;
    splice_transfer *transfer;
    splice_error error;
    make_folder("g");
    make_file("g/file", 6 * MIB, 5);
    begin_serving(&served, "g", SLOWLY);
    splice_file file = {path("g-copy"), "file"};
    listen_to(&options, &heard);
    CHECK_EQ(splice_get(served.url, &file, 1, &options, &transfer, &error), 0);
    cancel_at(transfer, &heard, 2 * MIB);
    CHECK(!exists("g-copy"));
    CHECK(exists("g-copy.splice-part"));
    end_serving(&served);

    begin_serving(&served, "g", 0);
    char url[80];
    snprintf(url, sizeof url, "%sfile", served.url);
    CHECK_EQ(get(url, "g-copy", &heard), 0);
    CHECK(heard.results[0].resumed_from >= 2 * MIB);
    check_same("g/file", "g-copy");
    CHECK(!exists("g-copy.splice-part"));
    splice_event began = wait_for(SPLICE_TRANSFER_BEGAN, 0);
    CHECK_EQ(began.direction, SPLICE_DOWNLOAD);
    CHECK_EQ(began.done, heard.results[0].resumed_from);
    CHECK_EQ(wait_for(SPLICE_TRANSFER_ENDED, 0).result, 0);
    end_serving(&served);
}

static splice_transfer *waits_for_itself;

static void wait_from_within(void *user, const splice_result *result)
{
    (void)user, (void)result;
    CHECK_EQ(splice_transfer_wait(waits_for_itself, NULL), SPLICE_ERR_STATE);
    CHECK_EQ(splice_transfer_free(waits_for_itself), SPLICE_ERR_STATE);
    CHECK_EQ(splice_transfer_run(waits_for_itself, NULL), SPLICE_ERR_STATE);
}

void test_states_of_transfers(void)
{
    struct served served;
    struct heard heard;
    splice_transfer_options options;
    splice_transfer *transfer;
    splice_error error;
    make_folder("s");
    make_file("s-file", 10, 6);
    begin_serving(&served, "s", 0);
    splice_file file = {path("s-file"), NULL};

    /* Once only, and nothing to wait for before. */
    listen_to(&options, &heard);
    CHECK_EQ(splice_put(served.url, &file, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_wait(transfer, &error), SPLICE_ERR_STATE);
    CHECK_EQ(splice_transfer_run(transfer, &error), 0);
    CHECK_EQ(splice_transfer_run(transfer, &error), SPLICE_ERR_STATE);
    CHECK_EQ(splice_transfer_start(transfer, &error), SPLICE_ERR_STATE);
    CHECK_EQ(splice_transfer_wait(transfer, &error), 0);
    CHECK_EQ(splice_transfer_cancel(transfer), 0); /* too late to matter */
    CHECK_EQ(splice_transfer_free(transfer), 0);

    /* Cancelled before it began: nothing is sent. */
    listen_to(&options, &heard);
    file.remote = "never";
    CHECK_EQ(splice_put(served.url, &file, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_cancel(transfer), 0);
    CHECK_EQ(splice_transfer_run(transfer, &error), SPLICE_ERR_CANCELLED);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    CHECK(!exists("s/never"));

    /* A transfer does not wait for itself; its handle survives that. */
    file.remote = "within";
    listen_to(&options, &heard);
    options.on_result = wait_from_within;
    CHECK_EQ(splice_put(served.url, &file, 1, &options, &transfer, &error), 0);
    waits_for_itself = transfer;
    CHECK_EQ(splice_transfer_start(transfer, &error), 0);
    CHECK_EQ(splice_transfer_wait(transfer, &error), 0);
    CHECK_EQ(splice_transfer_wait(transfer, &error), 0);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    check_same("s-file", "s/within");

    /* Freed while it tries to reach somebody who is not there. */
    char url[80];
    snprintf(url, sizeof url, "%s", served.url);
    end_serving(&served);
    file.remote = NULL;
    listen_to(&options, &heard);
    options.retry_seconds = 0;
    CHECK_EQ(splice_put(url, &file, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_start(transfer, &error), 0);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    CHECK_EQ(heard.end, SPLICE_ERR_CANCELLED);

    CHECK_EQ(splice_transfer_run(NULL, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_transfer_start(NULL, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_transfer_wait(NULL, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_transfer_cancel(NULL), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_transfer_free(NULL), 0);
}
