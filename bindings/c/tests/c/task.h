/* The tasks of these tests, which every program of them offers. */
#ifndef TASK_H
#define TASK_H

#include "check.h"

#include <signal.h>
#include <time.h>

static inline void rest(void)
{
    struct timespec a_moment = {0, 1000000};
    nanosleep(&a_moment, NULL);
}

/* Reads arguments that are so many integers; 0 if they are. */
static inline int read_integers(const void *arguments, size_t len, int64_t *values, uint64_t expected)
{
    size_t at = 0;
    uint64_t count, i;
    if (pp_read_list(arguments, len, &at, &count, NULL) != PP_OK || count != expected) {
        return 1;
    }
    for (i = 0; i < count; i++) {
        if (pp_read_int(arguments, len, &at, &values[i], NULL) != PP_OK) {
            return 1;
        }
    }
    return 0;
}

static inline int32_t task_add(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    int64_t values[2];
    CHECK(context != NULL && *(const int *)context == 7);
    CHECK(strcmp(pp_call_task(call), "add") == 0);
    if (read_integers(arguments, len, values, 2)) {
        return pp_call_bad_arguments(call, "two integers are added");
    }
    return pp_writer_int(result, values[0] + values[1], NULL);
}

/* Fails, in the words of its own. */
static inline int32_t task_fail(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)arguments, (void)result, (void)len;
    return pp_call_fail(call, "the well is dry", "in task_fail, task.h");
}

/* Fails by an error of the library's. */
static inline int32_t task_fail_with(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    pp_error_t *error = NULL;
    pp_fabric_t *fabric = NULL;
    (void)context, (void)arguments, (void)result, (void)len;
    if (pp_fabric_open("no such fabric", PP_OPEN, NULL, &fabric, &error)) {
        return pp_call_fail_with(call, error);
    }
    pp_fabric_free(fabric);
    return 0;
}

/* Says nothing but that it failed. */
static inline int32_t task_seven(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)call, (void)arguments, (void)result, (void)len;
    return 7;
}

/* Writes nothing: nil. */
static inline int32_t task_nothing(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)call, (void)arguments, (void)result, (void)len;
    return 0;
}

/* Leaves its result unfinished. */
static inline int32_t task_half(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)call, (void)arguments, (void)len;
    return pp_writer_list(result, 3, NULL) != PP_OK || pp_writer_int(result, 1, NULL) != PP_OK;
}

static inline int32_t task_die(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)call, (void)arguments, (void)result, (void)len;
    kill(getpid(), SIGKILL);
    return 0;
}

/* Fails at its first attempt. */
static inline int32_t task_flaky(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)arguments, (void)len;
    if (pp_call_attempt(call) == 1) {
        return pp_call_fail(call, "not the first time", NULL);
    }
    return pp_writer_int(result, (int64_t)pp_call_attempt(call) * 100 + (int64_t)pp_call_number(call), NULL);
}

/* Until it is told to stop. */
static inline int32_t task_spin(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)arguments, (void)len;
    while (!pp_call_cancelled(call)) {
        rest();
    }
    return pp_writer_int(result, pp_call_time_left(call), NULL);
}

/* Does not listen. */
static inline int32_t task_stuck(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)call, (void)arguments, (void)result, (void)len;
    while (getpid() != 0) {
        rest();
    }
    return 0;
}

static int64_t remembered;

static inline int32_t task_remember(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)result;
    return read_integers(arguments, len, &remembered, 1) ? pp_call_bad_arguments(call, "one integer") : 0;
}

static inline int32_t task_recall(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    (void)context, (void)call, (void)arguments, (void)len;
    return pp_writer_int(result, remembered * 10 + pp_worker_place(), NULL);
}

static inline void offer_tasks(void)
{
    static int seven = 7;
    OK(pp_task_offer("add", task_add, &seven, &error));
    OK(pp_task_offer("fail", task_fail, NULL, &error));
    OK(pp_task_offer("fail_with", task_fail_with, NULL, &error));
    OK(pp_task_offer("seven", task_seven, NULL, &error));
    OK(pp_task_offer("nothing", task_nothing, NULL, &error));
    OK(pp_task_offer("half", task_half, NULL, &error));
    OK(pp_task_offer("die", task_die, NULL, &error));
    OK(pp_task_offer("flaky", task_flaky, NULL, &error));
    OK(pp_task_offer("spin", task_spin, NULL, &error));
    OK(pp_task_offer("stuck", task_stuck, NULL, &error));
    OK(pp_task_offer("remember", task_remember, NULL, &error));
    OK(pp_task_offer("recall", task_recall, NULL, &error));
}

#endif
