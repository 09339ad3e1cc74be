/* Pools, futures and completions: tasks in C, what goes wrong in them, and bad input. */
#include "task.h"

#include <poll.h>

static pp_pool_t *make(uint32_t workers)
{
    pp_pool_options_t options = PP_POOL_OPTIONS_INIT;
    pp_pool_t *pool = NULL;
    options.workers = workers;
    OK(pp_pool_create(&options, &pool, &error));
    CHECK(pool != NULL && pp_pool_is_open(pool));
    return pool;
}

static pp_future_t *submit(const pp_pool_t *pool, const char *task, const pp_call_options_t *options)
{
    pp_future_t *future = NULL;
    OK(pp_pool_submit(pool, task, NULL, 0, options, &future, &error));
    return future;
}

static pp_future_t *add(const pp_pool_t *pool, size_t count, int64_t a, int64_t b)
{
    pp_future_t *future = NULL;
    pp_datum_t both[2];
    both[0] = pp_int(a);
    both[1] = pp_int(b);
    OK(pp_pool_submit(pool, "add", both, count, NULL, &future, &error));
    return future;
}

/* Until a worker is in a call: on a busy machine a cancel could come before. */
static void until_it_runs(const pp_pool_t *pool)
{
    pp_progress_t progress = {0, 0, 0, 0, 0};
    while (progress.running == 0) {
        OK(pp_pool_progress(pool, &progress, &error));
        rest();
    }
}

static int64_t integer(pp_future_t *future, size_t index)
{
    pp_message_t *result = NULL;
    int64_t value = -1;
    OK(pp_future_result(future, index, 60 * PP_SECOND, &result, &error));
    OK(pp_message_int(result, &value, &error));
    pp_message_free(result);
    return value;
}

/* The error of the only call. */
static pp_error_t *failed(pp_future_t *future)
{
    pp_message_t *result = NULL;
    pp_error_t *error = NULL;
    CHECK(pp_future_result(future, 0, 60 * PP_SECOND, &result, &error) != PP_OK);
    CHECK(error != NULL && result == NULL);
    pp_future_free(future);
    return error;
}

static void fails(pp_future_t *future, int32_t kind, const char *task, const char *word)
{
    pp_error_t *error = failed(future);
    if (pp_error_kind(error) != kind || strcmp(pp_error_task(error), task) != 0 || strstr(pp_error_message(error), word) == NULL) {
        fprintf(stderr, "%s: %s, expected %s of %s with %s\n", pp_status_name(pp_error_kind(error)), pp_error_message(error), pp_status_name(kind), task, word);
        exit(1);
    }
    pp_error_free(error);
}

static void calls(void)
{
    pp_pool_t *pool = make(2);
    pp_datum_t each[80];
    pp_future_t *future;
    pp_message_t *nil = NULL;
    pp_progress_t progress;
    pp_worker_info_t worker;
    int64_t i;
    int fd;
    future = add(pool, 2, 40, 2);
    CHECK(pp_future_count(future) == 1);
    CHECK(integer(future, 0) == 42);
    CHECK(integer(future, 0) == 42); /* again */
    CHECK(pp_future_is_done(future));
    OK(pp_future_wait(future, 0, &error));
    BAD("call", pp_future_result(future, 1, 0, &nil, &error));
    pp_future_free(future);
    future = submit(pool, "nothing", NULL);
    OK(pp_future_result(future, 0, PP_FOREVER, &nil, &error));
    pp_future_free(future);
    CHECK(*(const unsigned char *)pp_message_data(nil, NULL) == 0xc0); /* it outlives its future */
    pp_message_free(nil);

    for (i = 0; i < 40; i++) {
        each[2 * i] = i == 7 ? pp_text("seven") : pp_int(i);
        each[2 * i + 1] = pp_int(i);
    }
    OK(pp_pool_map(pool, "add", each, 2, 40, NULL, &future, &error));
    CHECK(pp_future_count(future) == 40);
    for (i = 0; i < 40; i++) {
        if (i != 7) {
            CHECK(integer(future, (size_t)i) == 2 * i);
        }
    }
    nil = NULL;
    EXPECT(PP_BAD_ARGUMENTS, "two integers", pp_future_result(future, 7, 0, &nil, &error));
    pp_future_free(future);
    OK(pp_pool_map(pool, "add", NULL, 2, 0, NULL, &future, &error));
    OK(pp_future_wait(future, PP_FOREVER, &error));
    CHECK(pp_future_count(future) == 0);
    pp_future_free(future);

    OK(pp_pool_progress(pool, &progress, &error));
    CHECK(progress.submitted == 42 && progress.done == 41 && progress.failed == 1 && progress.running + progress.queued == 0);
    OK(pp_pool_worker(pool, 0, &worker, &error));
    CHECK(worker.pid > 1 && !worker.joined && worker.place < 2);
    EXPECT(PP_NOT_FOUND, NULL, pp_pool_worker(pool, 99, &worker, &error));
    OK(pp_pool_resize(pool, 3, &error));
    BAD("worker", pp_pool_resize(pool, 0, &error));

    BAD("open", pp_pool_join(pool, 0, &error));
    OK(pp_pool_fd(pool, &fd, &error));
    future = submit(pool, "spin", NULL);
    until_it_runs(pool);
    OK(pp_pool_close(pool, &error));
    OK(pp_pool_close(pool, &error));
    CHECK(!pp_pool_is_open(pool));
    EXPECT(PP_TIMEOUT, "not over", pp_pool_join(pool, PP_MILLISECOND, &error));
    EXPECT(PP_POOL_CLOSED, NULL, pp_pool_submit(pool, "add", NULL, 0, NULL, &future, &error));
    OK(pp_future_cancel(future, 60 * PP_SECOND, NULL, &error));
    OK(pp_pool_join(pool, PP_FOREVER, &error));
    OK(pp_pool_join(pool, 0, &error));
    {
        struct pollfd over = {0, POLLIN, 0};
        over.fd = fd;
        CHECK(poll(&over, 1, 0) == 1);
    }
    CHECK(integer(future, 0) == -1); /* it was told, and had no limit */
    pp_pool_free(pool);
    CHECK(integer(future, 0) == -1);
    pp_future_free(future);
}

static void what_goes_wrong(void)
{
    pp_pool_t *pool = make(2);
    pp_call_options_t options = PP_CALL_OPTIONS_INIT;
    pp_error_t *error;
    pp_worker_info_t before, after;
    bool cancelled = false;
    pp_future_t *future;
    OK(pp_pool_worker(pool, 0, &before, &error));
    error = failed(submit(pool, "fail", NULL));
    CHECK(pp_error_kind(error) == PP_PANICKED && strcmp(pp_error_remote_message(error), "the well is dry") == 0);
    CHECK(strcmp(pp_error_remote_backtrace(error), "in task_fail, task.h") == 0 && strcmp(pp_error_task(error), "fail") == 0);
    CHECK(strcmp(pp_error_message(error), "task 'fail' failed: the well is dry") == 0 && pp_error_attempt(error) == 1);
    pp_error_free(error);
    fails(submit(pool, "fail_with", NULL), PP_PANICKED, "fail_with", "no such fabric");
    fails(submit(pool, "seven", NULL), PP_PANICKED, "seven", "returned 7");
    fails(add(pool, 1, 1, 0), PP_BAD_ARGUMENTS, "add", "two integers");
    fails(submit(pool, "half", NULL), PP_BAD_RESULT, "half", "half");
    fails(submit(pool, "nothing like it", NULL), PP_UNKNOWN_TASK, "nothing like it", "it offers add, die");
    OK(pp_pool_worker(pool, 0, &after, &error));
    CHECK(before.pid == after.pid); /* none of that cost a worker */

    error = failed(submit(pool, "die", NULL));
    CHECK(pp_error_kind(error) == PP_WORKER_DIED && strcmp(pp_error_task(error), "die") == 0);
    CHECK(pp_error_signal(error) == SIGKILL && pp_error_pid(error) > 1 && pp_error_exit_code(error) == -1);
    CHECK(strstr(pp_error_message(error), "SIGKILL") != NULL);
    pp_error_free(error);

    options.retries = 2;
    error = failed(submit(pool, "die", &options));
    CHECK(pp_error_attempt(error) == 3);
    pp_error_free(error);
    fails(submit(pool, "flaky", &options), PP_PANICKED, "flaky", "not the first time");
    options.flags = PP_CALL_RETRY_ERRORS;
    options.backoff = PP_MILLISECOND;
    options.backoff_factor = 2;
    options.priority = PP_PRIORITY_HIGH;
    future = submit(pool, "flaky", &options);
    CHECK(integer(future, 0) == 200);
    pp_future_free(future);

    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.soft_limit = 20 * PP_MILLISECOND;
    future = submit(pool, "spin", &options);
    CHECK(integer(future, 0) == 0);
    pp_future_free(future);
    options.soft_limit = 0;
    options.hard_limit = 20 * PP_MILLISECOND;
    fails(submit(pool, "stuck", &options), PP_TIME_LIMIT, "stuck", "limit");

    future = submit(pool, "stuck", NULL);
    OK(pp_future_cancel(future, 0, &cancelled, &error));
    CHECK(cancelled);
    OK(pp_future_wait(future, PP_FOREVER, &error));
    OK(pp_future_cancel(future, 0, &cancelled, &error));
    CHECK(!cancelled);
    BAD("grace", pp_future_cancel(future, -1, &cancelled, &error));
    fails(future, PP_CANCELLED, "stuck", "cancelled");

    future = submit(pool, "stuck", NULL);
    OK(pp_pool_terminate(pool, &error));
    error = failed(future);
    CHECK(pp_error_kind(error) == PP_TERMINATED);
    pp_error_free(error);
    OK(pp_pool_join(pool, PP_FOREVER, &error));
    pp_pool_free(pool);
}

static void ends(void)
{
    pp_pool_t *pool = make(1);
    pp_completions_t *completions = NULL;
    pp_future_t *stuck, *quick;
    struct pollfd both[2] = {{0, POLLIN, 0}, {0, POLLIN, 0}};
    uint64_t key = 0;
    OK(pp_completions_open(&completions, &error));
    OK(pp_completions_fd(completions, &both[0].fd, &error));
    stuck = submit(pool, "spin", NULL);
    OK(pp_future_fd(stuck, &both[1].fd, &error));
    OK(pp_completions_add(completions, stuck, 5, &error));
    CHECK(poll(both, 2, 0) == 0);
    EXPECT(PP_TIMEOUT, NULL, pp_completions_next(completions, 0, &key, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_completions_next(completions, PP_MILLISECOND, &key, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_future_wait(stuck, PP_MILLISECOND, &error));
    CHECK(key == 0);
    OK(pp_future_cancel(stuck, 60 * PP_SECOND, NULL, &error));
    CHECK(poll(both, 2, 60000) >= 1);
    OK(pp_completions_next(completions, PP_FOREVER, &key, &error));
    CHECK(key == 5);
    CHECK(poll(&both[1], 1, 0) == 1); /* a future's stays readable */
    quick = submit(pool, "nothing", NULL);
    OK(pp_completions_add(completions, quick, 6, &error));
    pp_future_free(quick);
    OK(pp_completions_next(completions, PP_FOREVER, &key, &error));
    CHECK(key == 6);
    CHECK(poll(&both[0], 1, 0) == 0);
    BAD("completions", pp_completions_add(NULL, stuck, 0, &error));
    BAD("future", pp_completions_add(completions, NULL, 0, &error));
    BAD("completions", pp_completions_next(NULL, 0, &key, &error));
    BAD("key", pp_completions_next(completions, 0, NULL, &error));
    BAD("completions", pp_completions_fd(NULL, &both[0].fd, &error));
    BAD("fd", pp_completions_fd(completions, NULL, &error));
    BAD("completions", pp_completions_open(NULL, &error));
    pp_future_free(stuck);
    pp_completions_free(completions);
    pp_completions_free(NULL);
    pp_pool_free(pool);
}

static void hooks_and_traces(void)
{
    pp_pool_options_t options = PP_POOL_OPTIONS_INIT;
    pp_call_options_t calls = PP_CALL_OPTIONS_INIT;
    pp_datum_t four = pp_int(4);
    pp_pool_t *pool = NULL;
    pp_future_t *future;
    const char *path = "pool-trace.json";
    char where[256];
    FILE *file;
    calls.retries = 1;
    calls.flags = PP_CALL_RETRY_ERRORS;
    options.workers = 1;
    options.most_workers = 2;
    options.idle_timeout = PP_SECOND;
    options.calls = &calls;
    options.max_pending = 1;
    options.max_tasks_per_worker = 1000;
    options.soft_memory = (uint64_t)1 << 40;
    options.hard_memory = (uint64_t)1 << 41;
    options.restart_deaths = 5;
    options.restart_within = PP_SECOND;
    options.library_threads = 1;
    options.events = 100;
    options.on_start = "remember";
    options.on_start_arguments = &four;
    options.on_start_count = 1;
    options.on_exit = "recall";
    OK(pp_pool_create(&options, &pool, &error));
    future = submit(pool, "recall", NULL);
    CHECK(integer(future, 0) / 10 == 4);
    pp_future_free(future);
    future = submit(pool, "flaky", NULL); /* as the pool was told */
    CHECK(integer(future, 0) == 200);
    pp_future_free(future);
    future = submit(pool, "spin", NULL);
    {
        pp_future_t *more = NULL;
        EXPECT(PP_FULL, NULL, pp_pool_submit(pool, "nothing", NULL, 0, NULL, &more, &error));
        CHECK(more == NULL);
    }
    OK(pp_future_cancel(future, 60 * PP_SECOND, NULL, &error));
    OK(pp_future_wait(future, PP_FOREVER, &error));
    pp_future_free(future);
    snprintf(where, sizeof where, "%s/%ld-%s", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (long)getpid(), path);
    OK(pp_pool_trace(pool, where, &error));
    file = fopen(where, "r");
    CHECK(file != NULL && fgetc(file) == '{');
    fclose(file);
    CHECK(remove(where) == 0);
    OK(pp_pool_close(pool, &error));
    OK(pp_pool_join(pool, PP_FOREVER, &error));
    OK(pp_pool_exit_results(pool, &future, &error));
    CHECK(pp_future_is_done(future) && pp_future_count(future) >= 1);
    CHECK(integer(future, 0) / 10 == 4);
    {
        pp_completions_t *completions = NULL;
        uint64_t key = 0;
        OK(pp_completions_open(&completions, &error));
        OK(pp_completions_add(completions, future, 3, &error));
        OK(pp_completions_next(completions, 0, &key, &error));
        CHECK(key == 3);
        pp_completions_free(completions);
    }
    OK(pp_future_cancel(future, 0, NULL, &error));
    pp_future_free(future);
    pp_pool_free(pool);
}

static void bad_options(void)
{
    pp_pool_options_t options = PP_POOL_OPTIONS_INIT;
    pp_call_options_t calls = PP_CALL_OPTIONS_INIT;
    pp_pool_t *pool = NULL;
    BAD("pool", pp_pool_create(NULL, NULL, &error));
    EXPECT(PP_FOREIGN_VERSION, "ABI", pp_pool_create_abi(PP_ABI + 1, NULL, &pool, &error));
    options.flags = 1u << 20;
    BAD("flags", pp_pool_create(&options, &pool, &error));
    options.flags = PP_POOL_NO_WORKERS;
    BAD("name", pp_pool_create(&options, &pool, &error));
    options.workers = 2;
    BAD("options.workers", pp_pool_create(&options, &pool, &error));
    options.flags = 0;
    options.most_workers = 1;
    BAD("least", pp_pool_create(&options, &pool, &error));
    options.most_workers = 0;
    options.idle_timeout = -1;
    BAD("idle_timeout", pp_pool_create(&options, &pool, &error));
    options.idle_timeout = 0;
    options.restart_within = -1;
    BAD("restart_within", pp_pool_create(&options, &pool, &error));
    options.restart_within = 0;
    options.start_method = PP_START_FORK;
    BAD("fork", pp_pool_create(&options, &pool, &error));
    options.start_method = 17;
    BAD("start_method", pp_pool_create(&options, &pool, &error));
    options.start_method = 0;
    options.program = "/no such program";
    EXPECT(PP_SPAWN_FAILED, "no such program", pp_pool_create(&options, &pool, &error));
    options.program = NULL;
    options.on_start = "remember";
    options.on_start_count = 1;
    BAD("on_start_arguments", pp_pool_create(&options, &pool, &error));
    options.on_start = NULL;
    options.size = 3;
    BAD("size", pp_pool_create(&options, &pool, &error));
    options.size = sizeof options;
    options.calls = &calls;
    calls.hard_limit = -1;
    BAD("hard_limit", pp_pool_create(&options, &pool, &error));
    calls.hard_limit = 0;
    calls.priority = 5;
    BAD("priority", pp_pool_create(&options, &pool, &error));
    calls.priority = 0;
    calls.flags = 8;
    BAD("flags", pp_pool_create(&options, &pool, &error));
    calls.flags = 0;
    calls.backoff = PP_SECOND;
    calls.backoff_factor = -1;
    BAD("factor", pp_pool_create(&options, &pool, &error));
    CHECK(pool == NULL);
}

static void bad_input(void)
{
    pp_pool_t *pool = make(1);
    pp_future_t *future = NULL;
    pp_message_t *result = NULL;
    pp_datum_t bad = pp_encoded("\xc1", 1, PP_CODEC_VALUE);
    pp_progress_t progress;
    pp_worker_info_t worker;
    pp_fabric_t *fabric = check_fabric();
    int fd;
    EXPECT(PP_BAD_ARGUMENTS, "add", pp_pool_submit(pool, "add", &bad, 1, NULL, &future, &error));
    EXPECT(PP_BAD_ARGUMENTS, "call 0", pp_pool_map(pool, "add", &bad, 1, 1, NULL, &future, &error));
    bad = pp_encoded("x", 1, 77);
    BAD("codec 77", pp_pool_submit(pool, "add", &bad, 1, NULL, &future, &error));
    BAD("too many", pp_pool_map(pool, "add", &bad, (size_t)1 << 40, (size_t)1 << 40, NULL, &future, &error));
    BAD("pool", pp_pool_submit(NULL, "add", NULL, 0, NULL, &future, &error));
    BAD("task", pp_pool_submit(pool, NULL, NULL, 0, NULL, &future, &error));
    BAD("UTF-8", pp_pool_submit(pool, "\xff", NULL, 0, NULL, &future, &error));
    BAD("future", pp_pool_submit(pool, "add", NULL, 0, NULL, NULL, &error));
    BAD("pool", pp_pool_map(NULL, "add", NULL, 1, 0, NULL, &future, &error));
    BAD("task", pp_pool_map(pool, NULL, NULL, 1, 0, NULL, &future, &error));
    BAD("arguments", pp_pool_map(pool, "add", NULL, 1, 3, NULL, &future, &error));
    BAD("future", pp_pool_map(pool, "add", NULL, 1, 0, NULL, NULL, &error));
    BAD("pool", pp_pool_close(NULL, &error));
    BAD("pool", pp_pool_terminate(NULL, &error));
    BAD("pool", pp_pool_join(NULL, 0, &error));
    BAD("pool", pp_pool_fd(NULL, &fd, &error));
    BAD("fd", pp_pool_fd(pool, NULL, &error));
    BAD("pool", pp_pool_resize(NULL, 1, &error));
    BAD("pool", pp_pool_worker(NULL, 0, &worker, &error));
    BAD("worker", pp_pool_worker(pool, 0, NULL, &error));
    BAD("pool", pp_pool_progress(NULL, &progress, &error));
    BAD("progress", pp_pool_progress(pool, NULL, &error));
    BAD("pool", pp_pool_exit_results(NULL, &future, &error));
    BAD("future", pp_pool_exit_results(pool, NULL, &error));
    BAD("pool", pp_pool_trace(NULL, "x", &error));
    BAD("path", pp_pool_trace(pool, NULL, &error));
    EXPECT(PP_OS, NULL, pp_pool_trace(pool, "/no such directory/trace", &error));
    CHECK(!pp_pool_is_open(NULL));
    EXPECT(PP_NOT_FOUND, "nowhere", pp_pool_connect(fabric, "nowhere", &pool, &error));
    BAD("fabric", pp_pool_connect(NULL, "nowhere", &pool, &error));
    BAD("name", pp_pool_connect(fabric, NULL, &pool, &error));
    BAD("pool", pp_pool_connect(fabric, "nowhere", NULL, &error));
    CHECK(future == NULL);
    BAD("future", pp_future_result(NULL, 0, 0, &result, &error));
    BAD("future", pp_future_wait(NULL, 0, &error));
    BAD("future", pp_future_cancel(NULL, 0, NULL, &error));
    BAD("future", pp_future_fd(NULL, &fd, &error));
    CHECK(pp_future_count(NULL) == 0 && !pp_future_is_done(NULL));
    future = submit(pool, "nothing", NULL);
    OK(pp_future_result(future, 0, PP_FOREVER, NULL, &error)); /* it is not wanted */
    BAD("fd", pp_future_fd(future, NULL, &error));
    pp_future_free(future);
    pp_future_free(NULL);
    pp_pool_free(pool);
    pp_pool_free(NULL);
    pp_fabric_free(fabric);
    CHECK(pp_call_fail(NULL, "x", NULL) == PP_INVALID_ARGUMENT);
    CHECK(pp_call_fail_with(NULL, NULL) == PP_INVALID_ARGUMENT);
    CHECK(pp_call_bad_arguments(NULL, "x") == PP_INVALID_ARGUMENT);
    CHECK(strcmp(pp_call_task(NULL), "") == 0 && pp_call_number(NULL) == 0 && pp_call_attempt(NULL) == 0);
    CHECK(!pp_call_cancelled(NULL) && pp_call_time_left(NULL) == -1);
}

int main(void)
{
    offer_tasks();
    OK(pp_main(&error));
    calls();
    what_goes_wrong();
    ends();
    hooks_and_traces();
    bad_options();
    bad_input();
    return 0;
}
