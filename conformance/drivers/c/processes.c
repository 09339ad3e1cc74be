/* Processes, pools, calls, workers. */
#include "driver.h"

#include <string.h>

static int32_t spawn(step_t *step, void *handle)
{
    pp_process_t *process = NULL;
    (void)handle;
    int32_t status = pp_process_start_task(step->args[0].text, step->args[1].items, step->args[1].count, NULL, &process, &step->error);
    return step_made(step, &PROCESS, status, process);
}

static int32_t pool(step_t *step, void *handle)
{
    pp_pool_options_t options = PP_POOL_OPTIONS_INIT;
    pp_pool_t *made = NULL;
    (void)handle;
    options.fabric = world_fabric();
    options.name = json_member(step->with, "name")->text;
    options.workers = (uint32_t)step->args[0].integer;
    options.flags = options.workers == 0 ? PP_POOL_NO_WORKERS : 0;
    int32_t status = pp_pool_create(&options, &made, &step->error);
    return step_made(step, &POOL, status, made);
}

static int32_t connect(step_t *step, void *handle)
{
    pp_pool_t *made = NULL;
    (void)handle;
    int32_t status = pp_pool_connect(world_fabric(), step->args[0].text, &made, &step->error);
    return step_made(step, &POOL, status, made);
}

static int32_t worker(step_t *step, void *handle)
{
    pp_worker_t *made = NULL;
    (void)handle;
    int32_t status = pp_worker_join(world_fabric(), step->args[0].text, &made, &step->error);
    return step_made(step, &WORKER, status, made);
}

const row_t PROCESS_STEPS[] = {
    {"spawn", "tl", spawn}, {"pool", "i", pool}, {"connect", "t", connect}, {"worker", "t", worker}, {NULL, NULL, NULL},
};

/* The exit code; null, where the process has not ended in time. */
static int32_t say_exit(step_t *step, void *process, int64_t timeout)
{
    int32_t code = 0;
    int32_t status = pp_process_join(process, timeout, &code, NULL, &step->error);
    return status == PP_TIMEOUT ? PP_OK : say_int(step, status, &(int64_t){code});
}

static int32_t process_join(step_t *step, void *process)
{
    return say_exit(step, process, step->timeout);
}

static int32_t exit_code(step_t *step, void *process)
{
    return say_exit(step, process, 0);
}

static int32_t is_alive(step_t *step, void *process)
{
    bool alive = pp_process_is_alive(process);
    return say_bool(step, PP_OK, &alive);
}

static int32_t terminate(step_t *step, void *process)
{
    return pp_process_terminate(process, &step->error);
}

static int32_t kill_process(step_t *step, void *process)
{
    return pp_process_kill(process, &step->error);
}

static int32_t has_pid(step_t *step, void *process)
{
    bool has = pp_process_pid(process) > 1;
    return say_bool(step, PP_OK, &has);
}

static int32_t failure(step_t *step, void *process)
{
    pp_error_t *why = NULL;
    int32_t status = pp_process_join(process, PP_FOREVER, NULL, &why, &step->error);
    const char *message = pp_error_remote_message(why);
    if (status == PP_OK && message != NULL) {
        text_string(step->answer, message, strlen(message));
    }
    pp_error_free(why);
    return status;
}

static void process_free(void *process)
{
    pp_process_free(process);
}

static const row_t PROCESS_ROWS[] = {
    {"join", "", process_join}, {"exit_code", "", exit_code}, {"is_alive", "", is_alive}, {"terminate", "", terminate}, {"kill", "", kill_process},
    {"has_pid", "", has_pid}, {"failure", "", failure}, {NULL, NULL, NULL},
};

const kind_t PROCESS = {"process", PROCESS_ROWS, process_free, NULL, 0, NULL, NULL};

/* A call may be retried: `with = { retries = 2 }`; or limited: `with = { limit = 0.1 }`. */
static int32_t submit_call(step_t *step, void *pool, pp_future_t **future)
{
    pp_call_options_t options = PP_CALL_OPTIONS_INIT;
    options.retries = (uint32_t)step_option(step, "retries", 0);
    step_seconds(json_member(step->with, "limit"), &options.hard_limit);
    return pp_pool_submit(pool, step->args[0].text, step->args[1].items, step->args[1].count, &options, future, &step->error);
}

static int32_t submit(step_t *step, void *pool)
{
    pp_future_t *future = NULL;
    int32_t status = submit_call(step, pool, &future);
    return step_made(step, &FUTURE, status, future);
}

static int32_t say_result(step_t *step, pp_future_t *future, size_t index, int64_t timeout)
{
    pp_message_t *result = NULL;
    return say_message(step, pp_future_result(future, index, timeout, &result, &step->error), &result);
}

static int32_t call(step_t *step, void *pool)
{
    pp_future_t *future = NULL;
    int32_t status = submit_call(step, pool, &future);
    if (status == PP_OK) {
        status = say_result(step, future, 0, PP_FOREVER);
    }
    pp_future_free(future);
    return status;
}

static int32_t map(step_t *step, void *pool)
{
    pp_future_t *future = NULL;
    int32_t status = pp_pool_map(pool, "square", step->args[0].items, 1, step->args[0].count, NULL, &future, &step->error);
    text_print(step->answer, "[");
    for (size_t i = 0; status == PP_OK && i < step->args[0].count; i++) {
        text_add(step->answer, ",", i > 0);
        status = say_result(step, future, i, PP_FOREVER);
    }
    text_print(step->answer, "]");
    pp_future_free(future);
    return status;
}

static int32_t workers(step_t *step, void *pool)
{
    pp_worker_info_t info;
    int64_t count = 0;
    int32_t status;
    while ((status = pp_pool_worker(pool, (size_t)count, &info, NULL)) == PP_OK) {
        count++;
    }
    return say_int(step, status == PP_NOT_FOUND ? PP_OK : status, &count);
}

static int32_t pool_close(step_t *step, void *pool)
{
    return pp_pool_close(pool, &step->error);
}

static int32_t pool_terminate(step_t *step, void *pool)
{
    return pp_pool_terminate(pool, &step->error);
}

static int32_t pool_join(step_t *step, void *pool)
{
    return pp_pool_join(pool, step->timeout, &step->error);
}

static void pool_free(void *pool)
{
    pp_pool_free(pool);
}

static const row_t POOL_ROWS[] = {
    {"submit", "tl", submit}, {"call", "tl", call}, {"map", "l", map}, {"workers", "", workers}, {"close", "", pool_close},
    {"terminate", "", pool_terminate}, {"join", "", pool_join}, {NULL, NULL, NULL},
};

const kind_t POOL = {"pool", POOL_ROWS, pool_free, NULL, 0, NULL, NULL};

static int32_t future_get(step_t *step, void *future)
{
    return say_result(step, future, 0, step->timeout);
}

static int32_t future_wait(step_t *step, void *future)
{
    return say_in_time(step, pp_future_wait(future, step->timeout, &step->error));
}

static int32_t ready(step_t *step, void *future)
{
    bool done = pp_future_is_done(future);
    return say_bool(step, PP_OK, &done);
}

static int32_t cancel(step_t *step, void *future)
{
    bool cancelled = false;
    return say_bool(step, pp_future_cancel(future, PP_SECOND, &cancelled, &step->error), &cancelled);
}

static void future_free(void *future)
{
    pp_future_free(future);
}

static const row_t FUTURE_ROWS[] = {
    {"get", "", future_get}, {"wait", "", future_wait}, {"ready", "", ready}, {"cancel", "", cancel}, {NULL, NULL, NULL},
};

const kind_t FUTURE = {"future", FUTURE_ROWS, future_free, NULL, 0, NULL, NULL};

/* Takes a batch, if there is one in time: how many it took. */
static int32_t worker_step(step_t *step, void *worker)
{
    uint64_t before = pp_worker_batches(worker);
    int32_t status = pp_worker_step(worker, step->timeout < 0 ? 10 * PP_SECOND : step->timeout, &step->error);
    bool good = status == PP_OK || status == PP_TIMEOUT || status == PP_POOL_CLOSED;
    return say_int(step, good ? PP_OK : status, &(int64_t){(int64_t)(pp_worker_batches(worker) - before)});
}

static int32_t worker_run(step_t *step, void *worker)
{
    int32_t status = pp_worker_run(worker, &step->error);
    bool left = pp_worker_has_left(worker);
    return say_bool(step, status, &left);
}

static int32_t worker_leave(step_t *step, void *worker)
{
    return pp_worker_leave(worker, &step->error);
}

static void worker_free(void *worker)
{
    pp_worker_free(worker);
}

static const row_t WORKER_ROWS[] = {
    {"step", "", worker_step}, {"run", "", worker_run}, {"leave", "", worker_leave}, {NULL, NULL, NULL},
};

const kind_t WORKER = {"worker", WORKER_ROWS, worker_free, NULL, 0, NULL, NULL};
