/* The tasks that every driver offers under the same names. */
#include "driver.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Whether `count` arguments came; `at` is behind their head. */
static bool takes(const void *arguments, size_t len, size_t *at, uint64_t count)
{
    uint64_t came = 0;
    return pp_read_list(arguments, len, at, &came, NULL) == PP_OK && came == count;
}

/* The value at `at`, encoded, for who hands it on. */
static bool take_value(const void *arguments, size_t len, size_t *at, const void **data, size_t *size)
{
    size_t start = *at;
    *data = (const uint8_t *)arguments + start;
    if (pp_read_skip(arguments, len, at, NULL)) {
        return false;
    }
    *size = *at - start;
    return true;
}

static int32_t echo(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0, size;
    const void *data;
    (void)context;
    if (!takes(arguments, len, &at, 1) || !take_value(arguments, len, &at, &data, &size)) {
        return pp_call_bad_arguments(call, "echo takes one value");
    }
    return pp_writer_value(result, data, size, NULL);
}

static int32_t add(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0;
    int64_t a, b;
    (void)context;
    if (!takes(arguments, len, &at, 2) || pp_read_int(arguments, len, &at, &a, NULL) || pp_read_int(arguments, len, &at, &b, NULL)) {
        return pp_call_bad_arguments(call, "add takes two integers");
    }
    return pp_writer_int(result, a + b, NULL);
}

static int32_t square(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0;
    int64_t n;
    (void)context;
    if (!takes(arguments, len, &at, 1) || pp_read_int(arguments, len, &at, &n, NULL)) {
        return pp_call_bad_arguments(call, "square takes an integer");
    }
    return pp_writer_int(result, n * n, NULL);
}

static int32_t fail(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0, size;
    const char *text;
    char message[200];
    (void)context, (void)result;
    if (!takes(arguments, len, &at, 1) || pp_read_text(arguments, len, &at, &text, &size, NULL) || size >= sizeof message) {
        return pp_call_bad_arguments(call, "fail takes a short text");
    }
    memcpy(message, text, size);
    message[size] = 0;
    return pp_call_fail(call, message, NULL);
}

static int32_t leave(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0;
    int64_t code;
    (void)context, (void)result;
    if (!takes(arguments, len, &at, 1) || pp_read_int(arguments, len, &at, &code, NULL)) {
        return pp_call_bad_arguments(call, "leave takes an exit code");
    }
    exit((int)code);
}

/* Dies as if killed from outside. */
static int32_t die(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)call, (void)arguments, (void)len;
    raise(SIGKILL);
    return pp_writer_nil(result, NULL);
}

static int32_t sleep_for(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0;
    double seconds;
    (void)context;
    if (!takes(arguments, len, &at, 1) || pp_read_float(arguments, len, &at, &seconds, NULL)) {
        return pp_call_bad_arguments(call, "sleep takes seconds");
    }
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&time, &time) != 0) {
    }
    return pp_writer_float(result, seconds, NULL);
}

/* Puts a value into a queue. */
static int32_t put(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0, size;
    pp_ticket_t ticket;
    pp_queue_t *queue = NULL;
    pp_error_t *error = NULL;
    const void *data;
    (void)context;
    if (!takes(arguments, len, &at, 2) || pp_read_ticket(arguments, len, &at, &ticket, NULL) || !take_value(arguments, len, &at, &data, &size)) {
        return pp_call_bad_arguments(call, "put takes a queue and a value");
    }
    if (pp_queue_from_ticket(&ticket, &queue, &error) || pp_queue_put(queue, pp_encoded(data, size, PP_CODEC_VALUE), PP_FOREVER, &error)) {
        pp_queue_free(queue);
        return pp_call_fail_with(call, error);
    }
    pp_queue_free(queue);
    return pp_writer_nil(result, NULL);
}

static const struct {
    const char *name;
    pp_task_t task;
} TASKS[] = {{"echo", echo}, {"add", add}, {"square", square}, {"fail", fail}, {"leave", leave}, {"die", die}, {"sleep", sleep_for}, {"put", put}};

int32_t tasks_offer(pp_error_t **error)
{
    int32_t status = PP_OK;
    for (size_t i = 0; status == PP_OK && i < sizeof TASKS / sizeof *TASKS; i++) {
        status = pp_task_offer(TASKS[i].name, TASKS[i].task, NULL, error);
    }
    return status;
}
