/* Pipes: the first actor listens under the object's name, the second connects. */
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One of both, until the first step: then it is connected. */
typedef struct {
    pp_listener_t *listener;
    pp_connection_t *connection;
} side_t;

static void side_free(void *handle)
{
    side_t *side = handle;
    pp_listener_free(side->listener);
    pp_connection_free(side->connection);
    free(side);
}

static int32_t open_side(step_t *step, const char *name, int32_t how, void **handle)
{
    const char *folder = getenv("POLYPROC_DIR");
    char fabric[256];
    int32_t status = pp_fabric_name(world_fabric(), fabric, sizeof fabric, &step->error);
    if (status != PP_OK) {
        return status;
    }
    size_t room = (folder == NULL ? 0 : strlen(folder)) + strlen(fabric) + strlen(name) + 3;
    char *address = line_memory(room);
    side_t *side = calloc(1, sizeof *side);
    if (folder == NULL || side == NULL) {
        free(side);
        return step_fault(step, "Driver", "POLYPROC_DIR is not set, or there is no memory");
    }
    snprintf(address, room, "%s/%s-%s", folder, fabric, name);
    status = how == PP_CREATE ? pp_listener_open(address, NULL, &side->listener, &step->error) : pp_connect(address, NULL, PP_FOREVER, &side->connection, &step->error);
    if (status != PP_OK) {
        side_free(side);
        return status;
    }
    *handle = side;
    return PP_OK;
}

static int32_t connected(step_t *step, side_t *side)
{
    return side->connection == NULL ? pp_listener_accept(side->listener, PP_FOREVER, &side->connection, &step->error) : PP_OK;
}

static int32_t send_datum(step_t *step, void *side, pp_datum_t datum)
{
    int32_t status = connected(step, side);
    return status == PP_OK ? pp_connection_send(((side_t *)side)->connection, datum, step->timeout, &step->error) : status;
}

static int32_t send(step_t *step, void *side)
{
    return send_datum(step, side, step->args[0].datum);
}

static int32_t send_bytes(step_t *step, void *side)
{
    return send_datum(step, side, pp_raw(step->args[0].bytes, step->args[0].len));
}

static int32_t receive(step_t *step, side_t *side, pp_message_t **message)
{
    int32_t status = connected(step, side);
    return status == PP_OK ? pp_connection_recv(side->connection, step->timeout, message, &step->error) : status;
}

static int32_t recv(step_t *step, void *side)
{
    pp_message_t *message = NULL;
    return say_message(step, receive(step, side, &message), &message);
}

static int32_t recv_bytes(step_t *step, void *side)
{
    pp_message_t *message = NULL;
    return say_bytes(step, receive(step, side, &message), &message);
}

static int32_t recv_bytes_max(step_t *step, void *side)
{
    pp_message_t *message = NULL;
    int32_t status = connected(step, side);
    if (status == PP_OK) {
        status = pp_connection_recv_max(((side_t *)side)->connection, (uint64_t)step->args[0].integer, step->timeout, &message, &step->error);
    }
    return say_bytes(step, status, &message);
}

static int32_t poll(step_t *step, void *side)
{
    int32_t status = connected(step, side);
    return status == PP_OK ? say_in_time(step, pp_connection_poll(((side_t *)side)->connection, step->timeout, &step->error)) : status;
}

static int32_t close(step_t *step, void *side)
{
    int32_t status = connected(step, side);
    return status == PP_OK ? pp_connection_close(((side_t *)side)->connection, &step->error) : status;
}

static const row_t PIPE_ROWS[] = {
    {"send", "v", send}, {"send_bytes", "b", send_bytes}, {"recv", "", recv}, {"recv_bytes", "", recv_bytes}, {"recv_bytes_max", "i", recv_bytes_max},
    {"poll", "", poll}, {"close", "", close}, {NULL, NULL, NULL},
};

const kind_t PIPE = {"pipe", PIPE_ROWS, side_free, open_side, 0, NULL, NULL};
