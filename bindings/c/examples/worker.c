/*
 * A worker in C: it joins the pool "sums" of the fabric whose name it is given, and offers it a task, until the pool is over. The pool may be of
 * any language: a Rust program calls the task with `pool.call::<i64>("c.sum", (1, 2, 3))`.
 *
 *     cc worker.c -lpolyproc -o worker && ./worker NAME-OF-THE-FABRIC
 */
#include <polyproc.h>

#include <stdio.h>

/* The sum of any number of integers. */
static int32_t sum(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    size_t at = 0;
    uint64_t count = 0;
    int64_t sum = 0, number = 0;
    (void)context;
    if (pp_read_list(arguments, len, &at, &count, NULL)) {
        return pp_call_bad_arguments(call, "a list of integers is summed");
    }
    while (count-- > 0) {
        if (pp_read_int(arguments, len, &at, &number, NULL)) {
            return pp_call_bad_arguments(call, "integers are summed");
        }
        if (number > 0 ? sum > INT64_MAX - number : sum < INT64_MIN - number) {
            return pp_call_fail(call, "the sum is too large", "sum, in worker.c");
        }
        sum += number;
    }
    return pp_writer_int(result, sum, NULL);
}

int main(int argc, char **argv)
{
    pp_error_t *error = NULL;
    pp_fabric_t *fabric = NULL;
    pp_worker_t *worker = NULL;
    int status = 1;
    if (argc != 2) {
        fprintf(stderr, "usage: %s NAME-OF-THE-FABRIC\n", argv[0]);
        return 2;
    }
    if (pp_task_offer("c.sum", sum, NULL, &error) || pp_main(&error)) {
        goto out;
    }
    if (pp_fabric_open(argv[1], PP_OPEN, NULL, &fabric, &error) || pp_worker_join(fabric, "sums", &worker, &error)) {
        goto out;
    }
    if (pp_worker_run(worker, &error) == PP_OK) {
        status = 0;
    }
out:
    if (error != NULL) {
        fprintf(stderr, "%s: %s\n", argv[0], pp_error_message(error));
    }
    pp_error_free(error);
    pp_worker_free(worker);
    pp_fabric_free(fabric);
    return status;
}
