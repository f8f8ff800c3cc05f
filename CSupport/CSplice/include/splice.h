/*
 * libsplice: files over links that break, for C and C++ programs.
 *
 *   cc app.c $(pkg-config --cflags --libs --static splice)
 *
 * Two things can be made. A `splice_server` serves a folder to every client of the Splice protocol, as the
 * program spliced does. A `splice_transfer` puts files on a server or gets them from there, as the program
 * splice does: what was cut goes on at the last byte that both ends can prove by digest, and a file that is
 * reported as done is whole, was compared, and is on stable storage.
 *
 * Strings. Paths and names are bytes that end with NUL; they need not be UTF-8. Strings that are passed in
 * are copied before the call returns. Strings that a callback gets are valid until it returns. Texts are for
 * people.
 *
 * Options. Clear the struct and set `size`; every field that is zero or NULL has the default that stands
 * beside it:
 *
 *   splice_server_options options = {0};
 *   options.size = sizeof options;
 *
 * A program that was compiled with an older header goes on working: fields are only ever added at the end.
 *
 * Results. Functions that return int return 0, or one of the negative numbers below, which keep their meaning
 * for ever. A function that returns an error has no effect, and calls none of the callbacks that it was
 * given. Functions with a last parameter `error` say more there, if it is not NULL.
 *
 * Threads. Each function says from where it may be called. Callbacks come on the thread that serves or
 * transfers, and hold it up, so they should be short. They may call the functions of the handle that they
 * belong to, except where it is said otherwise. Callbacks must not throw C++ exceptions.
 *
 * Signals. The library watches none. Opening a server or a transfer sets SIGPIPE to be ignored if it still
 * has its default action, for a peer that is gone would end the whole program.
 *
 * Disk work runs on libuv's thread pool, which is the one of the whole program (UV_THREADPOOL_SIZE).
 */
#ifndef SPLICE_H
#define SPLICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Errors ------------------------------------------------------------------------------------------------- */

enum {
    /* What a server, or a disk, refused: the numbers of the protocol's ERROR with a minus in front. */
    SPLICE_ERR_WRITE_FAILED = -1,
    SPLICE_ERR_OPEN_FAILED = -2,
    SPLICE_ERR_SEEK_FAILED = -3,
    SPLICE_ERR_EXISTS = -4,
    SPLICE_ERR_TIMEOUT = -5,
    SPLICE_ERR_UNKNOWN_MESSAGE = -6,
    SPLICE_ERR_CANNOT_CONNECT = -7, /* see os_error */
    SPLICE_ERR_UPLOAD_FAILED = -8,
    SPLICE_ERR_DOWNLOAD_FAILED = -9,
    SPLICE_ERR_NO_SPACE = -10,
    SPLICE_ERR_LOCKED = -11, /* another client is writing the file */
    SPLICE_ERR_BUSY = -12,   /* the server has as many clients or transfers as it is allowed */
    SPLICE_ERR_DENIED = -13,
    SPLICE_ERR_BAD_PATH = -14,
    SPLICE_ERR_DIGEST_MISMATCH = -15, /* the file differs from what was read or sent before */
    SPLICE_ERR_VERSION = -16,         /* the peer speaks another version of the protocol */
    SPLICE_ERR_NOT_FOUND = -17,
    SPLICE_ERR_CHANGED = -18, /* the file changed while it was transferred */
    SPLICE_ERR_IS_DIRECTORY = -19,
    SPLICE_ERR_NOT_DIRECTORY = -20,
    SPLICE_ERR_MALFORMED = -21, /* the peer broke the rules of the protocol */
    SPLICE_ERR_SUPERSEDED = -22,
    SPLICE_ERR_SHUTTING_DOWN = -23,
    SPLICE_ERR_READ_FAILED = -24,
    SPLICE_ERR_NOT_EMPTY = -25,
    SPLICE_ERR_KICKED = -26, /* disconnected by whoever runs the server */

    /* What this library found itself. */
    SPLICE_ERR_INVALID = -101,       /* an argument is missing or out of its range */
    SPLICE_ERR_NEWER_OPTIONS = -102, /* an option is set that this library is too old for */
    SPLICE_ERR_BAD_URL = -103,
    SPLICE_ERR_BAD_ADDRESS = -104, /* of a listening socket */
    SPLICE_ERR_STATE = -105,       /* not possible now: see the function */
    SPLICE_ERR_CANCELLED = -106,
    SPLICE_ERR_UNKNOWN_HOST = -107,
    SPLICE_ERR_REFUSED = -108,      /* nobody listens at the server's address */
    SPLICE_ERR_DISCONNECTED = -109, /* the connection broke, and the time for trying again is over */
    SPLICE_ERR_CANNOT_LISTEN = -110,
    SPLICE_ERR_FOLDER_IN_USE = -111, /* another server serves it */
    SPLICE_ERR_NO_RESOURCES = -112   /* no threads, descriptors or memory */
};

/* What else is known of an error. */
typedef struct splice_error {
    int code;       /* what the function returned */
    int os_error;   /* errno of the system call that failed; 0: it was none */
    char text[512]; /* one sentence: what failed, on what, and why */
} splice_error;

/* The meaning of a code, in English; never NULL. Any thread. */
const char *splice_strerror(int code);

/* The version of the library, as "0.1.0". Any thread. */
const char *splice_version(void);

/* Servers ------------------------------------------------------------------------------------------------ */

typedef struct splice_server splice_server;

typedef enum splice_event_type {
    SPLICE_CLIENT_CONNECTED = 1,    /* address */
    SPLICE_CLIENT_DISCONNECTED = 2, /* result, text: once for everyone who connected */
    SPLICE_TRANSFER_BEGAN = 3,      /* both ends know where to go on: `done` */
    SPLICE_TRANSFER_PROGRESSED = 4, /* about every MiB; back, where a block arrived damaged */
    SPLICE_TRANSFER_ENDED = 5,      /* result: once for everyone that began */
    SPLICE_SERVER_STOPPED = 6       /* the last event */
} splice_event_type;

typedef enum splice_direction {
    SPLICE_UPLOAD = 1,  /* to the server */
    SPLICE_DOWNLOAD = 2 /* from the server */
} splice_direction;

/* Fields that an event has no use for are 0 or NULL. */
typedef struct splice_event {
    size_t size; /* sizeof(splice_event) of the library */
    splice_event_type type;
    uint64_t client; /* never given to another client of the same server */
    const char *address; /* of the client, with its port */
    uint64_t transfer; /* never given to another transfer of the same client */
    splice_direction direction; /* of the transfer; path, done and total, too */
    const char *path; /* below the folder */
    uint64_t done; /* bytes of the file that are here, or were sent */
    uint64_t total; /* bytes of the file */
    /*
     * SPLICE_TRANSFER_ENDED: 0, and an upload is on stable storage under its name, or everything of a download
     * was sent; SPLICE_ERR_DISCONNECTED: the client left or gave up, and what came of an upload is kept; else
     * why the client was refused.
     * SPLICE_CLIENT_DISCONNECTED: 0, the client left; SPLICE_ERR_DISCONNECTED, the link broke;
     * SPLICE_ERR_KICKED, SPLICE_ERR_TIMEOUT (silent for too long), SPLICE_ERR_SHUTTING_DOWN; else which rule it
     * broke.
     */
    int result;
    const char *text; /* of the result */
} splice_event;

typedef enum splice_log_level {
    SPLICE_LOG_DEFAULT = 0, /* notice */
    SPLICE_LOG_ERROR = 3,
    SPLICE_LOG_WARNING = 4,
    SPLICE_LOG_NOTICE = 5,
    SPLICE_LOG_INFO = 6,
    SPLICE_LOG_DEBUG = 7
} splice_log_level;

typedef struct splice_server_options {
    size_t size; /* sizeof(splice_server_options) */
    const char *const *listen; /* "127.0.0.1:7420", "[::1]:7420"; port 0: any free one. NULL: 127.0.0.1:7420 */
    size_t listen_count; /* 1 to 64 of them; 0 with NULL */
    uint32_t workers; /* loops, each a thread: 1 to 64. 0: 1 */
    /* At a time; the next one is told to come back. Each takes a descriptor, and its transfers take some more:
       see RLIMIT_NOFILE. 0: 1024 */
    uint32_t clients_max;
    uint32_t clients_per_address_max; /* 0: as many as in all */
    uint32_t transfers_max; /* at a time. 0: one for 16 KiB of memory_bytes */
    uint64_t memory_bytes; /* for received bytes on their way to the disk, at least 1 MiB. 0: 16 MiB */
    uint64_t checkpoint_bytes; /* uploads are made durable after so many, at least 1 MiB. 0: 64 MiB */
    uint32_t checkpoint_milliseconds; /* ... or this time, at least 1000. 0: 5000 */
    int32_t idle_milliseconds; /* a client is disconnected that is silent for so long. 0: 60000; -1: never */
    uint64_t rate; /* bytes a second, in and out, of all clients, at least 1024. 0: no limit */
    uint64_t client_rate; /* ... of each client */
    uint64_t free_bytes_min; /* room on the disk that uploads leave free */
    uint64_t partial_expiry_seconds; /* unfinished uploads that nobody came back for are removed. 0: 7 days */
    int32_t read_only; /* not 0: stores and changes nothing */
    splice_log_level log_level; /* most detailed level that on_log gets */
    /* On the thread of the client's worker: in order for one client, at once for several. NULL: no events. */
    void (*on_event)(void *user, const splice_event *event);
    /* One line without its end, from any thread of the server. NULL: nothing is logged. */
    void (*on_log)(void *user, splice_log_level level, const char *text);
    void *user; /* passed on to both */
} splice_server_options;

/*
 * Opens the folder and listens. Clients that connect wait until the server runs. Any thread.
 *
 *   root     the folder to serve; ROOT/.splice/ is made in it for unfinished uploads and digests
 *   options  NULL: the defaults
 *   server   where the handle goes, which splice_server_free frees
 *
 * Errors: SPLICE_ERR_INVALID, SPLICE_ERR_NEWER_OPTIONS, SPLICE_ERR_BAD_ADDRESS, SPLICE_ERR_CANNOT_LISTEN
 * (os_error), SPLICE_ERR_FOLDER_IN_USE; for the folder SPLICE_ERR_NOT_FOUND, SPLICE_ERR_NOT_DIRECTORY,
 * SPLICE_ERR_DENIED, SPLICE_ERR_OPEN_FAILED and others of their kind.
 */
int splice_server_open(const char *root, const splice_server_options *options, splice_server **server,
                       splice_error *error);

/* The port of the address with this index, as the kernel chose it; 0: there is no such address. Any thread. */
uint16_t splice_server_port(const splice_server *server, size_t index);

/*
 * One of these three, once. Until then nobody is served.
 *
 * run     serves on the calling thread, and returns when the server has stopped. start   serves on a thread
 * of its own; splice_server_wait waits for its end. attach  serves inside `loop`, a uv_loop_t that the caller
 * runs, on the thread that runs it, which is the one that
 *         calls this. The loop must not be closed before SPLICE_SERVER_STOPPED, after which it has no handle of
 *         the server any more.
 *
 * With several workers each but the first has a thread of its own in any case.
 *
 * Errors: SPLICE_ERR_STATE when it ran already, SPLICE_ERR_NO_RESOURCES (the server has stopped then; a loop
 * that was attached to has to be run until it has closed what was begun).
 */
struct uv_loop_s;
int splice_server_run(splice_server *server, splice_error *error);
int splice_server_start(splice_server *server, splice_error *error);
int splice_server_attach(splice_server *server, struct uv_loop_s *loop, splice_error *error);

/*
 * Stops the server: unfinished uploads are made durable, clients are told. Returns at once;
 * SPLICE_SERVER_STOPPED comes when it is done. Before the server runs: it will stop as soon as it does. Any
 * thread, from callbacks, too, but not from a signal handler.
 *
 * Errors: SPLICE_ERR_INVALID for NULL.
 */
int splice_server_stop(splice_server *server);

/*
 * Waits until a server that splice_server_start began has stopped; at once when it has. One thread at a time,
 * and none of the server itself, so not from callbacks: SPLICE_ERR_STATE.
 */
int splice_server_wait(splice_server *server);

/*
 * Stops a server that was started, waits for its end, closes its sockets and frees it. NULL is passed over.
 * After that the handle is gone, so no other thread may be using it. From callbacks only from
 * SPLICE_SERVER_STOPPED, and only of a server that is attached to a loop.
 *
 * Errors: SPLICE_ERR_STATE, with the handle still valid, when it runs on a thread or in a loop of the caller,
 * and has not stopped; or on a thread of the server.
 */
int splice_server_free(splice_server *server);

/* How many clients may be there at a time from now on, at least 1; those that are there stay. Any thread.
 * Errors: SPLICE_ERR_INVALID. */
int splice_server_set_clients_max(splice_server *server, uint32_t clients_max);

/*
 * Disconnects one client, which is told so and does not come back by itself. What it uploaded is kept. Any
 * thread.
 *
 *   done  called once on the thread of the server's first worker, with 0 or SPLICE_ERR_NOT_FOUND, when there is
 *         no client of that number; may be NULL
 *
 * Errors: SPLICE_ERR_STATE when the server does not run.
 */
int splice_server_disconnect(splice_server *server, uint64_t client, void (*done)(void *user, int result),
                             void *user);

typedef enum splice_activity {
    SPLICE_IDLE = 1,
    SPLICE_UPLOADING = 2,
    SPLICE_DOWNLOADING = 3,
    SPLICE_ASKING = 4 /* listing, verifying, removing */
} splice_activity;

typedef struct splice_client_info {
    size_t size; /* sizeof(splice_client_info) of the library */
    uint64_t client;
    const char *address;
    splice_activity activity; /* of the oldest of its requests; path, done and total, too */
    uint32_t requests;        /* under way */
    const char *path;
    uint64_t done;  /* bytes */
    uint64_t total; /* bytes */
    uint64_t age_milliseconds;   /* since it connected */
    uint64_t quiet_milliseconds; /* since something useful came or went */
    uint64_t received_bytes;     /* over the wire */
    uint64_t sent_bytes;
    uint64_t verified_bytes; /* of files that came, and matched their digests */
    uint64_t durable_bytes;  /* ... and are on stable storage */
} splice_client_info;

/*
 * Lists the clients. Any thread.
 *
 *   each  called on the thread of the server's first worker: once for each client by rising number, then once
 *         with NULL
 *
 * Errors: SPLICE_ERR_INVALID, SPLICE_ERR_STATE when the server does not run.
 */
int splice_server_list(splice_server *server, void (*each)(void *user, const splice_client_info *client),
                       void *user);

/* Transfers ---------------------------------------------------------------------------------------------- */

typedef struct splice_transfer splice_transfer;

typedef struct splice_file {
    const char *local; /* of a get: a folder, with "/" at its end or not, takes the file under its own name */
    /*
     * Below the path of the URL. NULL for a put: the last name of `local`. NULL where the URL names the file
     * itself.
     */
    const char *remote;
} splice_file;

typedef enum splice_phase {
    SPLICE_CONNECTING = 0,
    SPLICE_CHECKING = 1, /* bytes on this side are being read to prove a prefix; nothing moves yet */
    SPLICE_MOVING = 2,
    SPLICE_WAITING = 3 /* the link broke; the next attempt comes in wait_milliseconds */
} splice_phase;

typedef struct splice_progress {
    size_t size; /* sizeof(splice_progress) of the library */
    splice_phase phase;
    const char *path; /* of the file that it is about, on the server; "" while there is none */
    uint64_t done;    /* bytes of that file */
    uint64_t total;   /* bytes of that file */
    uint64_t files_done;
    uint64_t files_known; /* grows while folders are read */
    uint64_t wait_milliseconds;
} splice_progress;

typedef struct splice_result {
    size_t size; /* sizeof(splice_result) of the library */
    int code; /* 0: the file is whole, was compared, and is on stable storage at its destination */
    int os_error;
    const char *text; /* of the code */
    const char *remote; /* its path on the server; of what never came to be a transfer, what is to blame, or "" */
    const char *local; /* "" for what never came to be a transfer */
    uint64_t total; /* bytes of the file */
    uint64_t sent; /* file bytes that went over the link, in all attempts */
    uint64_t resumed_from; /* bytes that the last attempt did not have to send */
    uint64_t milliseconds;
    uint32_t attempts;
    int32_t already_there; /* not 0: the other side had the very file, and no byte was moved */
    int32_t durable; /* not 0: on stable storage. 0 with code 0: SPLICE_KEEP found a file of that name */
    int32_t resumable; /* not 0 with an error: the same transfer again may succeed, and goes on there */
    char digest[33]; /* of the whole file, in hexadecimal digits; zeros when it was not learned */
} splice_result;

typedef enum splice_existing {
    SPLICE_REPLACE = 0, /* what the server has under this name */
    SPLICE_KEEP = 1,    /* it, and call that success */
    SPLICE_REFUSE = 2   /* SPLICE_ERR_EXISTS */
} splice_existing;

typedef struct splice_transfer_options {
    size_t size; /* sizeof(splice_transfer_options) */
    int32_t retry_seconds; /* how long to go on without any progress. 0: 600; -1: one attempt */
    int32_t recursive; /* not 0: folders, too, with everything in them */
    splice_existing existing; /* what a put does where there is a file of that name */
    const char *cache; /* a folder for digests of local files, which spare reading them again. NULL: none */
    /* All on the thread that transfers; each may be NULL. */
    void (*on_progress)(void *user, const splice_progress *progress); /* may come often */
    /* Once for each file that was begun or failed. Files that were never begun because the server could not be
       reached share one, with remote "". */
    void (*on_result)(void *user, const splice_result *result);
    void (*on_notice)(void *user, const char *text); /* no error: a link that broke, a file passed over */
    void (*on_end)(void *user, int result); /* the last call, with what splice_transfer_run returns */
    void *user; /* passed on to all */
    uint64_t rate; /* bytes a second, in and out, at least 1024. 0: no limit */
} splice_transfer_options;

/*
 * Makes a transfer to a server (put) or from there (get). Nothing is tried yet. Any thread.
 *
 *   url       splice://HOST[:PORT]/FOLDER/ for what is in that folder; with one file also
 *             splice://HOST[:PORT]/NAME. Byte for byte, without percent-encoding; the port is 7420 when none is
 *             given
 *   files     `count` of them, at least 1; no two may go to one place
 *   options   NULL: the defaults
 *   transfer  where the handle goes, which splice_transfer_free frees
 *
 * Errors: SPLICE_ERR_INVALID, SPLICE_ERR_NEWER_OPTIONS, SPLICE_ERR_BAD_URL, SPLICE_ERR_BAD_PATH.
 */
int splice_put(const char *url, const splice_file *files, size_t count, const splice_transfer_options *options,
               splice_transfer **transfer, splice_error *error);
int splice_get(const char *url, const splice_file *files, size_t count, const splice_transfer_options *options,
               splice_transfer **transfer, splice_error *error);

/*
 * Transfers on the calling thread, and returns when every file has its result: 0 when all are done,
 * SPLICE_ERR_CANCELLED, or the error of the first file that failed.
 *
 * Errors: also SPLICE_ERR_STATE when it ran already, SPLICE_ERR_NO_RESOURCES.
 */
int splice_transfer_run(splice_transfer *transfer, splice_error *error);

/* Transfers on a thread of its own; splice_transfer_wait waits for its end. Any thread.
 * Errors: SPLICE_ERR_STATE when it ran already, SPLICE_ERR_NO_RESOURCES. */
int splice_transfer_start(splice_transfer *transfer, splice_error *error);

/*
 * Waits for the end of what splice_transfer_start began, and returns what splice_transfer_run would. One
 * thread at a time. Errors: also SPLICE_ERR_STATE when nothing was started, and from its own callbacks.
 */
int splice_transfer_wait(splice_transfer *transfer, splice_error *error);

/*
 * Stops what moves. What came so far is kept, and the same put or get again goes on there. Files that are not
 * whole get SPLICE_ERR_CANCELLED. Returns at once. Before the transfer runs: it will stop as soon as it does.
 * Any thread, from callbacks, too, but not from a signal handler.
 *
 * Errors: SPLICE_ERR_INVALID for NULL.
 */
int splice_transfer_cancel(splice_transfer *transfer);

/*
 * Cancels a transfer that was started, waits for its end and frees it. NULL is passed over. After that the
 * handle is gone, so no other thread may be using it.
 *
 * Errors: SPLICE_ERR_STATE, with the handle still valid, while it runs on a thread of the caller, and from
 * callbacks.
 */
int splice_transfer_free(splice_transfer *transfer);

#ifdef __cplusplus
}
#endif

#endif
