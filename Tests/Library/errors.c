/* Every failure has its own number, and says what the operating system said. */
#include "check.h"

#include <errno.h>
#include <sys/stat.h>

static int open_with(const char *root, splice_server_options *options, splice_error *error)
{
    splice_server *server = NULL;
    int code = splice_server_open(root, options, &server, error);
    if (code == 0) {
        CHECK_EQ(splice_server_free(server), 0);
    } else {
        CHECK(server == NULL);
        CHECK_EQ(error->code, code);
        CHECK(error->text[0] != 0);
    }
    return code;
}

void test_errors_of_servers(void)
{
    splice_server_options options;
    splice_error error;
    make_folder("served");
    make_file("plain", 1, 1);
    make_options(&options, 0);
    CHECK_EQ(open_with(path("served"), &options, &error), 0);

    CHECK_EQ(open_with(NULL, &options, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(open_with("", &options, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_open(path("served"), &options, NULL, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(open_with(path("missing"), &options, &error), SPLICE_ERR_NOT_FOUND);
    CHECK_EQ(error.os_error, ENOENT);
    CHECK_EQ(open_with(path("plain"), &options, &error), SPLICE_ERR_NOT_DIRECTORY);
    CHECK_EQ(error.os_error, ENOTDIR);

    const char *bad[] = {"127.0.0.1"};
    options.listen = bad;
    CHECK_EQ(open_with(path("served"), &options, &error), SPLICE_ERR_BAD_ADDRESS);

    /* Two servers: of one folder, then at one port. */
    make_options(&options, 0);
    splice_server *first;
    CHECK_EQ(splice_server_open(path("served"), &options, &first, &error), 0);
    CHECK_EQ(open_with(path("served"), &options, &error), SPLICE_ERR_FOLDER_IN_USE);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", splice_server_port(first, 0));
    const char *taken[] = {address};
    options.listen = taken;
    make_folder("served2");
    CHECK_EQ(open_with(path("served2"), &options, &error), SPLICE_ERR_CANNOT_LISTEN);
    CHECK_EQ(error.os_error, EADDRINUSE);
    CHECK(strstr(error.text, address) != NULL);
    CHECK_EQ(splice_server_port(first, 1), 0);
    CHECK_EQ(splice_server_free(first), 0);
    CHECK_EQ(open_with(path("served"), &options, &error), 0); /* both are free again */

#define OUT_OF_RANGE(field, value)                                                                             \
    make_options(&options, 0);                                                                                 \
    options.field = (value);                                                                                   \
    CHECK_EQ(open_with(path("served"), &options, &error), SPLICE_ERR_INVALID);                                 \
    CHECK(strstr(error.text, #field) != NULL)
    OUT_OF_RANGE(workers, 65);
    OUT_OF_RANGE(memory_bytes, 1000);
    OUT_OF_RANGE(memory_bytes, UINT64_MAX);
    OUT_OF_RANGE(checkpoint_bytes, 1000);
    OUT_OF_RANGE(checkpoint_milliseconds, 999);
    OUT_OF_RANGE(idle_milliseconds, -2);
    OUT_OF_RANGE(rate, 1023);
    OUT_OF_RANGE(client_rate, 1);
    OUT_OF_RANGE(listen_count, 0);
    OUT_OF_RANGE(listen_count, 65);
    OUT_OF_RANGE(log_level, (splice_log_level)2);

    CHECK_EQ(splice_server_run(NULL, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_start(NULL, NULL), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_attach(NULL, NULL, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_stop(NULL), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_wait(NULL), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_set_clients_max(NULL, 1), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_disconnect(NULL, 1, NULL, NULL), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_server_port(NULL, 0), 0);
    CHECK_EQ(splice_server_free(NULL), 0);

    /* Each number has a sentence of its own. */
    for (int code = -130; code <= 0; code++) {
        const char *text = splice_strerror(code);
        CHECK(text != NULL && text[0] != 0);
        int is_known = code == 0 || (code >= -26 && code <= -1) || (code >= -112 && code <= -101);
        CHECK_EQ(strcmp(text, "unknown error") != 0, is_known);
    }
    CHECK_TEXT(splice_strerror(SPLICE_ERR_NOT_FOUND), "no such file");
    CHECK_TEXT(splice_version(), EXPECTED_VERSION);
}

static int make_put(const char *url, const char *local, const char *remote)
{
    splice_file file = {local, remote};
    splice_transfer *transfer = NULL;
    splice_error error;
    int code = splice_put(url, &file, 1, NULL, &transfer, &error);
    CHECK_EQ(transfer != NULL, code == 0);
    if (code != 0)
        CHECK(error.code == code && error.text[0] != 0);
    CHECK_EQ(splice_transfer_free(transfer), 0); /* one that never ran, too */
    return code;
}

void test_errors_of_transfers(void)
{
    static const char *bad_urls[] = {"",
                                     "http://host/",
                                     "splice://",
                                     "splice://host:0/",
                                     "splice://host:99999/",
                                     "splice://ho st/",
                                     "splice://1.2.3/",
                                     "splice://[::1/",
                                     "splice://host/a/../b"};
    for (size_t i = 0; i < sizeof bad_urls / sizeof *bad_urls; i++)
        CHECK_EQ(make_put(bad_urls[i], "file", NULL), SPLICE_ERR_BAD_URL);
    CHECK_EQ(make_put(NULL, "file", NULL), SPLICE_ERR_INVALID);
    CHECK_EQ(make_put("splice://host/", NULL, NULL), SPLICE_ERR_INVALID);
    CHECK_EQ(make_put("splice://host/", "", NULL), SPLICE_ERR_INVALID);
    CHECK_EQ(make_put("splice://host/", "file", "a/../b"), SPLICE_ERR_BAD_PATH);
    CHECK_EQ(make_put("splice://host/", "file", ".splice/x"), SPLICE_ERR_BAD_PATH);
    CHECK_EQ(make_put("splice://host/name", "file", "other"), SPLICE_ERR_BAD_URL);
    CHECK_EQ(make_put("splice://host/", "file", "a/b"), 0);

    splice_error error;
    splice_transfer *transfer = NULL;
    splice_file twice[] = {{"a/x", NULL}, {"b/x", NULL}};
    CHECK_EQ(splice_put("splice://host/", twice, 2, NULL, &transfer, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_put("splice://host/", twice, 0, NULL, &transfer, &error), SPLICE_ERR_INVALID);
    CHECK_EQ(splice_put("splice://host/name", twice, 2, NULL, &transfer, &error), SPLICE_ERR_BAD_URL);
    CHECK_EQ(splice_get("splice://host/", twice, 1, NULL, &transfer, &error), SPLICE_ERR_BAD_PATH);

    /* Nobody listens at a port that was just given back. */
    struct served served;
    struct heard heard;
    make_folder("e");
    begin_serving(&served, "e", 0);
    char url[80], name[100];
    snprintf(url, sizeof url, "%s", served.url);
    end_serving(&served);
    make_file("picture", 3 * MIB, 1);
    CHECK_EQ(put(url, "picture", &heard), SPLICE_ERR_REFUSED);
    CHECK_EQ(heard.results[0].os_error, ECONNREFUSED);
    CHECK_EQ(heard.results[0].resumable, 1);
    CHECK_EQ(put("splice://a..b/", "picture", &heard), SPLICE_ERR_UNKNOWN_HOST);

    begin_serving(&served, "e", SLOWLY);
    CHECK_EQ(put(served.url, "missing", &heard), SPLICE_ERR_NOT_FOUND);
    CHECK_EQ(heard.results[0].os_error, ENOENT);
    snprintf(name, sizeof name, "%snothing", served.url);
    CHECK_EQ(get(name, "copy", &heard), SPLICE_ERR_NOT_FOUND);
    CHECK_EQ(heard.results[0].os_error, 0); /* the server's word */
    CHECK_EQ(mkdir(path("e/folder"), 0755), 0);
    snprintf(name, sizeof name, "%sfolder", served.url);
    CHECK_EQ(put(name, "picture", &heard), SPLICE_ERR_IS_DIRECTORY);
    CHECK_EQ(get(name, "copy", &heard), SPLICE_ERR_IS_DIRECTORY);

    /* While one client writes, another is told so. */
    splice_transfer_options options;
    struct heard other;
    listen_to(&options, &other);
    make_file("rival", 3 * MIB, 2);
    splice_file file = {path("picture"), "wanted"};
    CHECK_EQ(splice_put(served.url, &file, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_start(transfer, &error), 0);
    wait_for(SPLICE_TRANSFER_BEGAN, 0);
    snprintf(name, sizeof name, "%swanted", served.url);
    CHECK_EQ(put(name, "rival", &heard), SPLICE_ERR_LOCKED);
    CHECK_EQ(splice_transfer_wait(transfer, &error), 0);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    check_same("picture", "e/wanted");

    /* What is there stays: kept, or refused. */
    listen_to(&options, &other);
    file.local = path("rival");
    options.existing = SPLICE_REFUSE;
    CHECK_EQ(splice_put(served.url, &file, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_run(transfer, &error), SPLICE_ERR_EXISTS);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    listen_to(&options, &other);
    options.existing = SPLICE_KEEP;
    CHECK_EQ(splice_put(served.url, &file, 1, &options, &transfer, &error), 0);
    CHECK_EQ(splice_transfer_run(transfer, &error), 0);
    CHECK_EQ(splice_transfer_free(transfer), 0);
    CHECK_EQ(other.results[0].already_there, 1);
    CHECK_EQ(other.results[0].durable, 0);
    check_same("picture", "e/wanted");
    end_serving(&served);

    begin_serving(&served, "e", READ_ONLY);
    CHECK_EQ(put(served.url, "rival", &heard), SPLICE_ERR_DENIED);
    end_serving(&served);
}

/* A struct of options as a newer, and as an older, header has it. */
void test_options_of_other_versions(void)
{
    struct {
        splice_server_options known;
        uint64_t unknown;
    } newer;
    splice_error error;
    make_folder("o");
    make_options(&newer.known, 0);
    newer.known.size = sizeof newer;
    newer.unknown = 0;
    CHECK_EQ(open_with(path("o"), &newer.known, &error), 0);
    newer.unknown = 1;
    CHECK_EQ(open_with(path("o"), &newer.known, &error), SPLICE_ERR_NEWER_OPTIONS);
    newer.known.size = 0;
    CHECK_EQ(open_with(path("o"), &newer.known, &error), SPLICE_ERR_INVALID);

    /* What lies behind the size of an older header is not looked at. */
    splice_server_options *older = &newer.known;
    make_options(older, 0);
    older->size = offsetof(splice_server_options, rate);
    older->rate = 1;
    older->client_rate = 1;
    CHECK_EQ(open_with(path("o"), older, &error), 0);

    splice_transfer_options options;
    struct heard heard;
    splice_transfer *transfer;
    splice_file file = {"x", NULL};
    listen_to(&options, &heard);
    options.size = 4;
    CHECK_EQ(splice_put("splice://h/", &file, 1, &options, &transfer, &error), SPLICE_ERR_INVALID);
    listen_to(&options, &heard);
    options.retry_seconds = -2;
    CHECK_EQ(splice_put("splice://h/", &file, 1, &options, &transfer, &error), SPLICE_ERR_INVALID);
    CHECK(strstr(error.text, "retry_seconds") != NULL);
    listen_to(&options, &heard);
    options.rate = 1023;
    CHECK_EQ(splice_put("splice://h/", &file, 1, &options, &transfer, &error), SPLICE_ERR_INVALID);
    CHECK(strstr(error.text, "rate") != NULL);
    listen_to(&options, &heard);
    options.existing = (splice_existing)3;
    CHECK_EQ(splice_put("splice://h/", &file, 1, &options, &transfer, NULL), SPLICE_ERR_INVALID);
}
