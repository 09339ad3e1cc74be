/*
 * A pool driven from C, whose tasks are C functions: two worker processes, each this program again, compute squares; one is killed in the middle
 * of its work, and nothing but the call that it was in is lost.
 *
 *     cc pool.c -lpolyproc -o pool && ./pool
 */
#include <polyproc.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int32_t square(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0;
    uint64_t count;
    int64_t number;
    (void)context;
    if (pp_read_list(arguments, len, &at, &count, NULL) || pp_read_int(arguments, len, &at, &number, NULL)) {
        return pp_call_bad_arguments(call, "one integer is squared");
    }
    if (number == 13) {
        raise(SIGKILL); /* as the kernel does for lack of memory */
    }
    return pp_writer_int(result, number * number, NULL);
}

static void give_up(pp_error_t *error)
{
    fprintf(stderr, "%s\n", pp_error_message(error));
    exit(1);
}

int main(void)
{
    pp_pool_options_t options = PP_POOL_OPTIONS_INIT;
    pp_error_t *error = NULL;
    pp_pool_t *pool = NULL;
    pp_future_t *squares = NULL;
    pp_datum_t numbers[20];
    size_t i, failed = 0;
    int64_t sum = 0;

    /* All tasks first, then this line: a worker works here, and never comes behind it. */
    if (pp_task_offer("square", square, NULL, &error) || pp_main(&error)) {
        give_up(error);
    }
    options.workers = 2;
    if (pp_pool_create(&options, &pool, &error)) {
        give_up(error);
    }
    for (i = 0; i < 20; i++) {
        numbers[i] = pp_int((int64_t)i);
    }
    if (pp_pool_map(pool, "square", numbers, 1, 20, NULL, &squares, &error)) {
        give_up(error);
    }
    for (i = 0; i < 20; i++) {
        pp_message_t *result = NULL;
        int64_t value = 0;
        if (pp_future_result(squares, i, PP_FOREVER, &result, &error)) {
            printf("%d: task %s, killed by signal %d\n", (int)i, pp_error_task(error), (int)pp_error_signal(error));
            pp_error_free(error);
            failed++;
        } else if (pp_message_int(result, &value, &error)) {
            give_up(error);
        }
        sum += value;
        pp_message_free(result);
    }
    printf("the others sum up to %ld\n", (long)sum);
    pp_future_free(squares);
    pp_pool_free(pool);
    return failed == 1 && sum == 2470 - 169 ? 0 : 1;
}
