/* Workers that joined by themselves, and clients: another process of this program, and this one, find a pool by its name. */
#include "task.h"

#include <poll.h>

static pp_process_t *start(const char *path, const char *role, const char *name)
{
    const char *command[4];
    pp_process_t *process = NULL;
    command[0] = path;
    command[1] = role;
    command[2] = name;
    command[3] = NULL;
    OK(pp_process_start_command(command, NULL, &process, &error));
    return process;
}

static void ends_with(pp_process_t *process, int32_t expected)
{
    int32_t code = 99;
    OK(pp_process_join(process, 60 * PP_SECOND, &code, NULL, &error));
    CHECK(code == expected);
    pp_process_free(process);
}

/* A worker that runs until the pool is over. */
static void runs(const pp_fabric_t *fabric)
{
    pp_worker_t *worker = NULL;
    OK(pp_worker_join(fabric, "jobs", &worker, &error));
    OK(pp_worker_run(worker, &error));
    CHECK(pp_worker_has_left(worker));
    EXPECT(PP_POOL_CLOSED, "left", pp_worker_step(worker, 0, &error));
    pp_worker_free(worker);
}

/* One with a loop of its own, which leaves after three batches. */
static void loops(const pp_fabric_t *fabric)
{
    pp_worker_t *worker = NULL;
    pp_leaver_t *leaver = NULL;
    pp_pollable_t *pollable = NULL;
    struct pollfd fd = {0, POLLIN, 0};
    int32_t status = PP_OK;
    OK(pp_worker_join(fabric, "jobs", &worker, &error));
    OK(pp_worker_leaver(worker, &leaver, &error));
    OK(pp_worker_pollable(worker, &pollable, &error));
    OK(pp_pollable_fd(pollable, &fd.fd, &error));
    EXPECT(PP_INVALID_ARGUMENT, NULL, pp_worker_join(fabric, "jobs", &worker, &error)); /* it is in already */
    while (status != PP_POOL_CLOSED) {
        CHECK(poll(&fd, 1, 1000) >= 0);
        status = pp_worker_step(worker, 0, NULL);
        CHECK(status == PP_OK || status == PP_TIMEOUT || status == PP_POOL_CLOSED);
        if (status == PP_TIMEOUT) {
            OK(pp_pollable_rearm(pollable, &error));
        }
        if (pp_worker_batches(worker) == 3) {
            pp_leaver_leave(leaver);
        }
    }
    CHECK(pp_worker_has_left(worker) && pp_worker_batches(worker) == 3);
    EXPECT(PP_POOL_CLOSED, NULL, pp_worker_pollable(worker, &pollable, &error));
    OK(pp_worker_leave(worker, &error));
    pp_worker_free(worker);
    pp_leaver_leave(leaver); /* nothing happens */
    pp_leaver_free(leaver);
    pp_pollable_free(pollable);
}

static int64_t adds(const pp_pool_t *pool, int64_t a, int64_t b)
{
    pp_datum_t both[2];
    pp_future_t *future = NULL;
    pp_message_t *result = NULL;
    int64_t value = -1;
    both[0] = pp_int(a);
    both[1] = pp_int(b);
    OK(pp_pool_submit(pool, "add", both, 2, NULL, &future, &error));
    OK(pp_future_result(future, 0, 60 * PP_SECOND, &result, &error));
    OK(pp_message_int(result, &value, &error));
    pp_message_free(result);
    pp_future_free(future);
    return value;
}

/* One that submits. */
static void submits(const pp_fabric_t *fabric)
{
    pp_pool_t *pool = NULL;
    pp_call_options_t options = PP_CALL_OPTIONS_INIT;
    pp_future_t *future = NULL;
    pp_progress_t progress;
    int fd;
    OK(pp_pool_connect(fabric, "jobs", &pool, &error));
    CHECK(pp_pool_is_open(pool));
    CHECK(adds(pool, 3, 4) == 7);
    EXPECT(PP_UNSUPPORTED, "another process", pp_pool_close(pool, &error));
    EXPECT(PP_UNSUPPORTED, NULL, pp_pool_terminate(pool, &error));
    EXPECT(PP_UNSUPPORTED, NULL, pp_pool_join(pool, 0, &error));
    EXPECT(PP_UNSUPPORTED, NULL, pp_pool_resize(pool, 2, &error));
    EXPECT(PP_UNSUPPORTED, NULL, pp_pool_progress(pool, &progress, &error));
    EXPECT(PP_UNSUPPORTED, NULL, pp_pool_fd(pool, &fd, &error));
    options.hard_limit = PP_SECOND;
    BAD("hard limit", pp_pool_submit(pool, "add", NULL, 0, &options, &future, &error));
    OK(pp_pool_map(pool, "nothing", NULL, 0, 3, NULL, &future, &error));
    OK(pp_future_wait(future, PP_FOREVER, &error));
    pp_future_free(future);
    pp_pool_free(pool);
}

static int play(const char *role, const char *name)
{
    pp_fabric_t *fabric = NULL;
    OK(pp_fabric_open(name, PP_OPEN, NULL, &fabric, &error));
    if (strcmp(role, "runs") == 0) {
        runs(fabric);
    } else if (strcmp(role, "loops") == 0) {
        loops(fabric);
    } else {
        submits(fabric);
    }
    pp_fabric_free(fabric);
    return 0;
}

int main(int argc, char **argv)
{
    pp_fabric_options_t small = PP_FABRIC_OPTIONS_INIT;
    pp_pool_options_t options = PP_POOL_OPTIONS_INIT;
    pp_fabric_t *fabric = NULL;
    pp_pool_t *pool = NULL, *other = NULL;
    pp_worker_t *worker = NULL;
    pp_leaver_t *leaver = NULL;
    pp_pollable_t *pollable = NULL;
    pp_process_t *guest;
    pp_future_t *future = NULL;
    pp_message_t *result = NULL;
    char name[64];
    int i;
    offer_tasks();
    OK(pp_main(&error));
    if (argc == 3) {
        return play(argv[1], argv[2]);
    }
    snprintf(name, sizeof name, "c-worker-%ld", (long)getpid());
    small.cap = 16 << 20;
    OK(pp_fabric_open(name, PP_CREATE, &small, &fabric, &error));
    options.fabric = fabric;
    options.name = "jobs";
    options.flags = PP_POOL_NO_WORKERS | PP_POOL_NO_EVENTS;
    OK(pp_pool_create(&options, &pool, &error));
    EXPECT(PP_ALREADY_EXISTS, "jobs", pp_pool_create(&options, &other, &error));
    BAD("cannot be its worker", pp_worker_join(fabric, "jobs", &worker, &error));
    EXPECT(PP_NOT_FOUND, "nobody", pp_worker_join(fabric, "nobody's", &worker, &error));
    BAD("fabric", pp_worker_join(NULL, "jobs", &worker, &error));
    BAD("pool", pp_worker_join(fabric, NULL, &worker, &error));
    BAD("worker", pp_worker_join(fabric, "jobs", NULL, &error));
    BAD("worker", pp_worker_run(NULL, &error));
    BAD("worker", pp_worker_step(NULL, 0, &error));
    BAD("worker", pp_worker_leave(NULL, &error));
    BAD("worker", pp_worker_pollable(NULL, &pollable, &error));
    BAD("worker", pp_worker_leaver(NULL, &leaver, &error));
    CHECK(pp_worker_has_left(NULL) && pp_worker_batches(NULL) == 0);
    pp_leaver_leave(NULL);
    pp_leaver_free(NULL);
    pp_worker_free(NULL);
    CHECK(worker == NULL && other == NULL);

    guest = start(argv[0], "loops", name);
    for (i = 0; i < 3; i++) {
        CHECK(adds(pool, i, 1) == i + 1);
    }
    ends_with(guest, 0);

    /* One that is killed in a call: the future says which task, which process; how it ended is known to its parent alone. */
    guest = start(argv[0], "runs", name);
    OK(pp_pool_submit(pool, "die", NULL, 0, NULL, &future, &error));
    {
        pp_error_t *error = NULL;
        CHECK(pp_future_result(future, 0, 60 * PP_SECOND, &result, &error) == PP_WORKER_DIED);
        CHECK(strcmp(pp_error_task(error), "die") == 0 && pp_error_pid(error) == pp_process_pid(guest));
        pp_error_free(error);
    }
    pp_future_free(future);
    ends_with(guest, -SIGKILL);

    guest = start(argv[0], "runs", name);
    CHECK(adds(pool, 20, 1) == 21);
    ends_with(start(argv[0], "submits", name), 0);
    OK(pp_pool_close(pool, &error));
    OK(pp_pool_join(pool, 60 * PP_SECOND, &error));
    ends_with(guest, 0);
    pp_pool_free(pool);
    pp_fabric_free(fabric);
    return 0;
}
