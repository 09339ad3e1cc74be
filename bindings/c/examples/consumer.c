/* The consumer of two programs that meet by a name: see producer.c. Each order is taken on a lease, so that none is lost if this program is killed. */
#include <polyproc.h>

#include <stdio.h>

static int fail(pp_error_t *error)
{
    fprintf(stderr, "consumer: %s\n", pp_error_message(error));
    pp_error_free(error);
    return 1;
}

int main(int count, char **arguments)
{
    const char *name = count > 1 ? arguments[1] : "shop";
    pp_queue_options_t options = PP_QUEUE_OPTIONS_INIT;
    pp_error_t *error;
    pp_fabric_t *fabric;
    pp_queue_t *queue;
    options.joinable = 1;
    if (pp_fabric_open(name, PP_OPEN_OR_CREATE, NULL, &fabric, &error) ||
        pp_queue_open(fabric, "orders", PP_OPEN_OR_CREATE, &options, &queue, &error)) {
        return fail(error);
    }
    for (;;) {
        pp_lease_t *lease;
        const char *order;
        size_t len;
        int32_t status = pp_queue_lease(queue, 0, PP_FOREVER, &lease, &error);
        if (status == PP_CLOSED) {
            pp_error_free(error);
            break;
        }
        if (status == PP_INTERRUPTED) {
            pp_error_free(error); /* a signal was handled; go on */
            continue;
        }
        if (status) {
            return fail(error);
        }
        /* A message of another type, from whatever language, is an error that names it. */
        if (pp_message_text(pp_lease_message(lease), &order, &len, &error)) {
            return fail(error);
        }
        printf("%.*s\n", (int)len, order);
        if (pp_lease_ack(lease, &error)) { /* now it is done, for good */
            return fail(error);
        }
        pp_lease_free(lease);
    }
    pp_queue_free(queue);
    pp_fabric_free(fabric);
    return 0;
}
