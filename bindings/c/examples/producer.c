/* The producer of two programs that meet by a name: puts ten orders into a queue that any process of this user can open, in any language, and waits until they are done.
 *
 *     cc producer.c $(pkg-config --cflags --libs polyproc) -o producer
 *     cc consumer.c $(pkg-config --cflags --libs polyproc) -o consumer
 *     ./producer & ./consumer
 */
#include <polyproc.h>

#include <stdio.h>

static int fail(pp_error_t *error)
{
    fprintf(stderr, "producer: %s\n", pp_error_message(error));
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
    options.joinable = 1; /* it counts what is unfinished */
    if (pp_fabric_open(name, PP_OPEN_OR_CREATE, NULL, &fabric, &error) ||
        pp_queue_open(fabric, "orders", PP_OPEN_OR_CREATE, &options, &queue, &error)) {
        return fail(error);
    }
    for (int number = 1; number <= 10; number++) {
        char order[32];
        snprintf(order, sizeof order, "order %d", number);
        if (pp_queue_put(queue, pp_text(order), PP_FOREVER, &error)) {
            return fail(error);
        }
    }
    /* Until all are done; what a consumer had on lease when it was killed is done by another. */
    if (pp_queue_join(queue, PP_FOREVER, &error)) {
        return fail(error);
    }
    /* For everybody: the consumer is told that there is no more. */
    if (pp_queue_close(queue, &error)) {
        return fail(error);
    }
    printf("all orders are done\n");
    pp_queue_free(queue);
    pp_fabric_free(fabric);
    return 0;
}
