/*
 * serve - the server: opens the store and the accounts, listens, and waits for a signal.
 *
 * Order matters at both ends.  Start: directory, store (takes the lock, replays the log), accounts,
 * api, sockets; only then the ready line, so whoever reads it can send.  Stop (SIGTERM, SIGINT):
 * sockets first, so that nothing new is accepted and what is in flight is answered, then the api,
 * then the store, which seals.  SIGHUP reads the TLS files again.
 */
#include "api/api.h"
#include "api/keep.h"
#include "api/keeper.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "store/embedded/embedded.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    STOP_GRACE_MS = 5000, /* of the ten seconds that a stop may take, the rest is for sealing */
    MEMORY_MIN = 64 << 20,
    MEMORY_SHARE = 4, /* of what there is, that we take where nobody says */
    FREE_SHARE = 4,   /* of --memory: as much may lie free in the heap */
    OPENED_SHARE = 8, /* of --memory: the long trace that was opened last */
    DISK_MIN = 4 << 20,
    QUERY_MEMORY_MIN = 1 << 20,
    BODY_MAX_LIMIT = 1 << 30,
    CONNECTIONS_MAX = 10000,
};

struct config {
    const char *data, *store;
    struct tk_option_list listen;
    bool dev;
    uint64_t memory;
    struct tk_store_limits limits;
    const char *keep;
    struct tk_option_list thin;
    struct tk_store_thinning thinning; /* of these two */
    uint64_t max_body;
    uint64_t query_timeout, query_memory;
    const char *fsync;
    const char *tls_cert, *tls_key;
    uint64_t threads;
    const char *log_level;
};

struct server {
    struct tk_keep *keep;
    struct tk_store *store;
    struct tk_account *account;
    struct tk_keeper *keeper;
    struct tk_api *api;
    struct tk_server *net;
};

static bool
is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    return colon != NULL && tk_str_to_u64(tk_str_from(colon + 1), &port) && port <= UINT16_MAX;
}

static bool
parse(struct config *config, int argc, char **argv, struct tk_arena *arena,
      enum tk_exit *ret_status)
{
    const struct tk_option table[] = {
        {"data", TK_OPTION_STRING, &config->data, "DIR",
         "where spans and accounts are kept "
         "[./tracekit-data]",
         NULL, NULL},
        {"store", TK_OPTION_STRING, &config->store, "URL",
         "where else spans could be kept; this version has its own store alone [--data]", NULL,
         NULL},
        {"listen", TK_OPTION_LIST, &config->listen, "HOST:PORT",
         "may repeat; every port speaks every protocol [127.0.0.1:4318, :4317, :9411]", NULL, NULL},
        {"dev", TK_OPTION_BOOL, &config->dev, NULL,
         "no key is needed from this machine (loopback); for development", NULL, NULL},
        {"memory", TK_OPTION_SIZE, &config->memory, "SIZE",
         "budget for buffers and caches, at least 64MiB [a quarter of the machine]", NULL, NULL},
        {"disk", TK_OPTION_SIZE, &config->limits.disk_bytes, "SIZE",
         "most that spans may take on disk, at least 4MiB; then the oldest go [all there is]", NULL,
         NULL},
        {"retention", TK_OPTION_DURATION, &config->limits.retention_nano, "TIME",
         "spans go when they are older, like 15d [never, but see --disk]", NULL, NULL},
        {"thin", TK_OPTION_LIST, &config->thin, "RATIO@TIME",
         "may repeat; 0.1@3d leaves one trace in ten after three days [all stay]", NULL, NULL},
        {"keep", TK_OPTION_STRING, &config->keep, "QUERY",
         "traces that --thin leaves whole, like 'error || duration > 1s'", NULL, NULL},
        {"max-body", TK_OPTION_SIZE, &config->max_body, "SIZE",
         "largest request body after decompression [64MiB]", NULL, NULL},
        {"query-timeout", TK_OPTION_DURATION, &config->query_timeout, "TIME",
         "most that one query may take, then it is refused [30s]", NULL, NULL},
        {"query-memory", TK_OPTION_SIZE, &config->query_memory, "SIZE",
         "most memory that one query may take, at least 1MiB [256MiB]", NULL, NULL},
        {"fsync", TK_OPTION_CHOICE, &config->fsync, "always|group|async",
         "when a span counts as kept [group]", "always|group|async", NULL},
        {"tls-cert", TK_OPTION_STRING, &config->tls_cert, "FILE",
         "certificate chain, PEM; read again on SIGHUP", NULL, NULL},
        {"tls-key", TK_OPTION_STRING, &config->tls_key, "FILE", "private key, PEM", NULL, NULL},
        {"threads", TK_OPTION_NUMBER, &config->threads, "N", "event loops [one per core]", NULL,
         NULL},
        {"log-level", TK_OPTION_CHOICE, &config->log_level, "LEVEL",
         "debug|info|warning|error [info]", "debug|info|warning|error", NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "serve",
        .usage = "tracekit serve [options]",
        .about = "Receives spans (OTLP over HTTP and gRPC, Zipkin), keeps them in --data and shows "
                 "them.\nPrints `tracekit ready URL` to stdout once it answers.",
    };
    if (!tk_cli_parse(&usage, &options, argc, argv, arena, ret_status))
        return false;
    if (config->store != NULL && config->store[0] != '\0') {
        *ret_status =
            tk_cli_fail(TK_EXIT_USAGE, "serve",
                        "--store %s: this version keeps spans in its own store, in --data; "
                        "leave --store out",
                        config->store);
        return false;
    }
    for (size_t i = 0; i < config->listen.count; i++) {
        if (is_address(config->listen.items[i]))
            continue;
        *ret_status = tk_cli_fail(TK_EXIT_USAGE, "serve",
                                  "--listen %s: not HOST:PORT, such as 127.0.0.1:4318",
                                  config->listen.items[i]);
        return false;
    }
    if (config->memory < MEMORY_MIN) {
        *ret_status = tk_cli_fail(TK_EXIT_USAGE, "serve", "--memory: at least 64MiB");
        return false;
    }
    if (config->limits.disk_bytes != 0 && config->limits.disk_bytes < DISK_MIN) {
        *ret_status = tk_cli_fail(TK_EXIT_USAGE, "serve", "--disk: at least 4MiB");
        return false;
    }
    if (config->max_body == 0 || config->max_body > BODY_MAX_LIMIT) {
        *ret_status = tk_cli_fail(TK_EXIT_USAGE, "serve", "--max-body: between 1 byte and 1GiB");
        return false;
    }
    if (config->query_memory != 0 && config->query_memory < QUERY_MEMORY_MIN) {
        *ret_status = tk_cli_fail(TK_EXIT_USAGE, "serve", "--query-memory: at least 1MiB");
        return false;
    }
    if ((config->tls_cert == NULL) != (config->tls_key == NULL)) {
        *ret_status = tk_cli_fail(TK_EXIT_USAGE, "serve", "--tls-cert and --tls-key go together");
        return false;
    }
    return true;
}

static enum tk_fsync
fsync_mode(const char *text)
{
    if (strcmp(text, "always") == 0)
        return TK_FSYNC_ALWAYS;
    return strcmp(text, "async") == 0 ? TK_FSYNC_ASYNC : TK_FSYNC_GROUP;
}

static enum tk_log_level
log_level(const char *text)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    enum tk_log_level level = TK_LOG_DEBUG;
    while (strcmp(text, names[level]) != 0)
        level++;
    return level;
}

/* Every connection is an open file; the usual limit of 1024 is for programs that select().  Half of
   what is allowed is for connections: with no file left, libuv would try to accept for ever. */
static unsigned
raise_connections_max(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return CONNECTIONS_MAX;
    rlim_t allowed = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) == 0)
        allowed = files.rlim_max;
    return allowed / 2 < CONNECTIONS_MAX ? (unsigned)(allowed / 2) : CONNECTIONS_MAX;
}

static enum tk_err
open_parts(struct server *server, const struct config *config, struct tk_error *err)
{
    struct tk_store_options store = {
        .dir = config->data,
        .fsync = fsync_mode(config->fsync),
        .memory = config->memory,
        .warm = true,
        .thinning = config->thinning,
    };
    enum tk_err result = tk_embedded_open(&store, &server->store, err);
    if (result == TK_OK)
        result = tk_account_open(tk_env_host(), config->data, &server->account, err);
    if (result == TK_OK)
        result = tk_keeper_start(server->store, server->account, tk_env_host(), &config->limits,
                                 &server->keeper, err);
    if (result != TK_OK)
        return result;
    struct tk_api_options api = {
        .store = server->store,
        .account = server->account,
        .env = tk_env_host(),
        .dev = config->dev,
        .body_max = config->max_body,
        .query_nano = config->query_timeout,
        .query_memory = config->query_memory,
        .limits = config->limits,
        .opened_max = config->memory / OPENED_SHARE,
    };
    result = tk_api_new(&api, &server->api, err);
    if (result != TK_OK)
        return result;
    struct tk_server_options net = {
        .listen = config->listen.items,
        .listen_count = config->listen.count,
        .threads = (unsigned)config->threads,
        .connections_max = raise_connections_max(),
        .tls_cert = config->tls_cert,
        .tls_key = config->tls_key,
    };
    struct tk_server_handler handler = tk_api_handler(server->api);
    result = tk_server_start(&net, &handler, &server->net, err);
    if (result == TK_OK)
        tk_api_set_server(server->api, server->net);
    return result;
}

/* The host of HOST:PORT as a browser would be told: a wildcard is this machine. */
static tk_str
url_host(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    tk_str host = {listen, colon != NULL ? (size_t)(colon - listen) : strlen(listen)};
    if (tk_str_eq(host, TK_STR("0.0.0.0")) || host.len == 0)
        return TK_STR("127.0.0.1");
    return tk_str_eq(host, TK_STR("[::]")) ? TK_STR("[::1]") : host;
}

/* First start: the project's key and a sign-in link, once, for the person at the terminal. */
static enum tk_err
greet(struct server *server, const struct config *config, const char *url, struct tk_error *err)
{
    char key[TK_KEY_SIZE_MAX + 1], token[TK_TOKEN_TEXT + 1];
    bool first = false;
    const char *given = getenv("TRACEKIT_API_KEY");
    enum tk_err result =
        tk_account_first_start(server->account, tk_str_from(given), key, &first, err);
    if (result != TK_OK || !first)
        return result;
    if (given != NULL && given[0] != '\0')
        (void)fprintf(stderr, "project `default` made; TRACEKIT_API_KEY is its server key\n");
    else
        (void)fprintf(stderr,
                      "project `default` made; its server key, shown only now:\n"
                      "  export TRACEKIT_API_KEY=%s\n",
                      key);
    if (config->dev)
        return TK_OK;
    result = tk_account_signin_token(server->account, token, err);
    if (result == TK_OK)
        (void)fprintf(stderr,
                      "sign in once within %d minutes (`tracekit signin` makes another):\n"
                      "  %s/signin?token=%s\n",
                      TK_SIGNIN_TOKEN_MINUTES, url, token);
    return result;
}

static void
wait_for_stop(struct server *server, const sigset_t *signals)
{
    for (;;) {
        struct tk_error err = {0};
        int number = 0;
        if (sigwait(signals, &number) != 0)
            continue;
        if (number != SIGHUP)
            return;
        if (tk_server_reload_tls(server->net, &err) == TK_OK)
            tk_log(TK_LOG_INFO, "serve", "TLS files read again");
        else
            tk_log(TK_LOG_ERROR, "serve", "TLS files stay as they were: %s", err.message);
    }
}

static void
close_parts(struct server *server)
{
    if (server->api != NULL)
        tk_api_stop(server->api);
    if (server->net != NULL)
        tk_server_stop(server->net, STOP_GRACE_MS);
    tk_keeper_stop(server->keeper);
    tk_store_close(server->store);
    tk_keep_free(server->keep);
    if (server->api != NULL)
        tk_api_free(server->api);
    if (server->account != NULL)
        tk_account_close(server->account);
}

enum tk_exit
tk_cli_serve(int argc, char **argv)
{
    struct config config = {
        .data = "./tracekit-data",
        .listen = {.items = {"127.0.0.1:4318", "127.0.0.1:4317", "127.0.0.1:9411"}, .count = 3},
        .memory = tk_memory_of_machine("/proc/self/cgroup", "/sys/fs/cgroup") / MEMORY_SHARE,
        .max_body = 64 << 20,
        .fsync = "group",
        .log_level = "info",
    };
    struct server server = {0};
    struct tk_error err = {0};
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;
    sigset_t signals;
    char url[256];

    config.memory = config.memory > MEMORY_MIN ? config.memory : MEMORY_MIN;
    tk_arena_init(&arena, 4096, 4 << 20);
    if (!parse(&config, argc, argv, &arena, &status))
        goto out;
    if (tk_keep_new(config.keep, config.thin.items, config.thin.count, &server.keep,
                    &config.thinning, &err) != TK_OK) {
        status = tk_cli_fail(TK_EXIT_USAGE, "serve", "%s", err.message);
        goto out;
    }
    tk_log_set_level(log_level(config.log_level));
    tk_memory_setup(config.memory / FREE_SHARE);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread is started */

    enum tk_err result = open_parts(&server, &config, &err);
    if (result == TK_OK) {
        tk_str host = url_host(config.listen.items[0]);
        (void)snprintf(url, sizeof url, "%s://%.*s:%d", config.tls_cert != NULL ? "https" : "http",
                       TK_STR_ARG(host), tk_server_port(server.net, 0));
        result = greet(&server, &config, url, &err);
    }
    if (result != TK_OK) {
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "serve", "%s",
                             err.message[0] != '\0' ? err.message : tk_err_text(result));
        goto out;
    }
    (void)printf("tracekit ready %s\n", url);
    (void)fflush(stdout);
    wait_for_stop(&server, &signals);
out:
    close_parts(&server);
    tk_arena_release(&arena);
    return status;
}
