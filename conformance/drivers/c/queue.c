/* Queues, and leases of their messages. */
#include "driver.h"

#include <string.h>

TRAVELS(queue)

static int32_t open_queue(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_queue_options_t options = PP_QUEUE_OPTIONS_INIT;
    const json_t *letters = json_member(step->with, "dead_letters");
    pp_queue_t *queue = NULL, *dead = NULL;
    options.capacity = (size_t)step_option(step, "capacity", 0);
    options.lanes = (size_t)step_option(step, "lanes", 0);
    options.joinable = json_member(step->with, "joinable")->flag;
    options.max_deliveries = (uint32_t)step_option(step, "max_deliveries", 0);
    if (letters->type == JSON_TEXT && how == PP_CREATE) {
        pp_ticket_t ticket;
        if (!world_ticket(letters->text, &ticket)) {
            return step_fault(step, "Driver", "%s is no queue", letters->text);
        }
        int32_t status = pp_queue_from_ticket(&ticket, &dead, &step->error);
        if (status != PP_OK) {
            return status;
        }
    }
    options.dead_letters = dead;
    int32_t status = pp_queue_open(world_fabric(), name, how, how == PP_OPEN ? NULL : &options, &queue, &step->error);
    pp_queue_free(dead);
    *handle = queue;
    return status;
}

static int32_t put(step_t *step, void *queue)
{
    return pp_queue_put(queue, step->args[0].datum, step->timeout, &step->error);
}

static int32_t put_to(step_t *step, void *queue)
{
    return pp_queue_put_to(queue, (size_t)step->args[0].integer, step->args[1].datum, step->timeout, &step->error);
}

static int32_t put_many(step_t *step, void *queue)
{
    size_t done = 0;
    return say_size(step, pp_queue_put_many(queue, 0, step->args[0].items, step->args[0].count, step->timeout, &done, &step->error), &done);
}

static int32_t put_bytes(step_t *step, void *queue)
{
    return pp_queue_put(queue, pp_raw(step->args[0].bytes, step->args[0].len), step->timeout, &step->error);
}

static int32_t get(step_t *step, void *queue)
{
    pp_message_t *message = NULL;
    return say_message(step, pp_queue_get(queue, step->timeout, &message, &step->error), &message);
}

static int32_t get_many(step_t *step, void *queue)
{
    pp_messages_t *messages = NULL;
    return say_messages(step, pp_queue_get_many(queue, (size_t)step->args[0].integer, step->timeout, &messages, &step->error), &messages);
}

static int32_t get_bytes(step_t *step, void *queue)
{
    pp_message_t *message = NULL;
    int32_t status = pp_queue_get(queue, step->timeout, &message, &step->error);
    uint8_t codec = pp_message_codec(message);
    text_print(step->answer, "[");
    status = say_bytes(step, status, &message);
    text_print(step->answer, ",%d]", codec);
    return status;
}

static int32_t size_of(step_t *step, void *queue, int32_t (*get_size)(const pp_queue_t *, size_t *, pp_error_t **))
{
    size_t size = 0;
    return say_size(step, get_size(queue, &size, &step->error), &size);
}

static int32_t len(step_t *step, void *queue)
{
    return size_of(step, queue, pp_queue_len);
}

static int32_t leased(step_t *step, void *queue)
{
    return size_of(step, queue, pp_queue_leased);
}

static int32_t delayed(step_t *step, void *queue)
{
    return size_of(step, queue, pp_queue_delayed);
}

static int32_t buried(step_t *step, void *queue)
{
    return size_of(step, queue, pp_queue_buried);
}

static int32_t unfinished(step_t *step, void *queue)
{
    return size_of(step, queue, pp_queue_unfinished);
}

static int32_t lost(step_t *step, void *queue)
{
    return size_of(step, queue, pp_queue_lost);
}

static int32_t empty(step_t *step, void *queue)
{
    size_t size = 0;
    int32_t status = pp_queue_len(queue, &size, &step->error);
    return say_bool(step, status, &(bool){size == 0});
}

static int32_t full(step_t *step, void *queue)
{
    size_t size = 0, capacity = 0;
    int32_t status = pp_queue_len(queue, &size, &step->error);
    if (status == PP_OK) {
        status = pp_queue_capacity(queue, &capacity, &step->error);
    }
    return say_bool(step, status, &(bool){capacity > 0 && size >= capacity});
}

static int32_t capacity(step_t *step, void *queue)
{
    size_t most = 0;
    int32_t status = pp_queue_capacity(queue, &most, &step->error);
    return most == 0 ? status : say_size(step, status, &most);
}

static int32_t close(step_t *step, void *queue)
{
    return pp_queue_close(queue, &step->error);
}

static int32_t is_closed(step_t *step, void *queue)
{
    bool closed = false;
    return say_bool(step, pp_queue_is_closed(queue, &closed, &step->error), &closed);
}

static int32_t task_done(step_t *step, void *queue)
{
    return pp_queue_task_done(queue, &step->error);
}

static int32_t join(step_t *step, void *queue)
{
    return pp_queue_join(queue, step->timeout, &step->error);
}

/* A message as a value; raw bytes as such. */
static int32_t say_either(step_t *step, const pp_message_t *message)
{
    size_t size = 0;
    const void *data = pp_message_data(message, &size);
    if (pp_message_codec(message) != PP_CODEC_RAW) {
        return say_value(step, message);
    }
    value_print_bytes(step->answer, data, size);
    return PP_OK;
}

static int32_t get_buried(step_t *step, void *queue)
{
    static const char *const REASONS[] = {"", "GivenBack", "Expired", "HolderDied", "Buried"};
    pp_message_t *message = NULL;
    uint32_t deliveries = 0;
    int32_t status = pp_queue_get_buried(queue, &message, &step->error);
    if (status == PP_OK) {
        int32_t reason = pp_message_dead_letter(message, &deliveries);
        text_print(step->answer, "[");
        status = say_either(step, message);
        text_print(step->answer, ",[%u,\"%s\"]]", (unsigned)deliveries, REASONS[reason]);
        pp_message_free(message);
    }
    return status;
}

static int32_t take(step_t *step, void *queue, int64_t limit)
{
    pp_lease_t *lease = NULL;
    int32_t status = pp_queue_lease(queue, limit, step->timeout, &lease, &step->error);
    if (status == PP_OK) {
        status = say_either(step, pp_lease_message(lease));
        step_made(step, &LEASE, PP_OK, lease);
    }
    return status;
}

static int32_t lease(step_t *step, void *queue)
{
    return take(step, queue, 0);
}

static int32_t lease_for(step_t *step, void *queue)
{
    return take(step, queue, step->args[0].integer);
}

static const row_t QUEUE_ROWS[] = {
    {"put", "v", put},
    {"put_to", "iv", put_to},
    {"put_many", "l", put_many},
    {"put_bytes", "b", put_bytes},
    {"get", "", get},
    {"get_many", "i", get_many},
    {"get_bytes", "", get_bytes},
    {"len", "", len},
    {"empty", "", empty},
    {"full", "", full},
    {"capacity", "", capacity},
    {"close", "", close},
    {"is_closed", "", is_closed},
    {"task_done", "", task_done},
    {"join", "", join},
    {"unfinished", "", unfinished},
    {"lost", "", lost},
    {"lease", "", lease},
    {"lease_for", "n", lease_for},
    {"leased", "", leased},
    {"delayed", "", delayed},
    {"buried", "", buried},
    {"get_buried", "", get_buried},
    {"destroy", "", queue_destroy},
    {NULL, NULL, NULL},
};

const kind_t QUEUE = {"queue", QUEUE_ROWS, queue_free, open_queue, PP_KIND_QUEUE, queue_of, queue_ticket};

static int32_t ack(step_t *step, void *held)
{
    return pp_lease_ack(held, &step->error);
}

static int32_t nak(step_t *step, void *held)
{
    return pp_lease_nack(held, step->args[0].integer, &step->error);
}

static int32_t bury(step_t *step, void *held)
{
    return pp_lease_bury(held, &step->error);
}

static int32_t extend(step_t *step, void *held)
{
    return pp_lease_extend(held, step->args[0].integer, &step->error);
}

static int32_t deliveries(step_t *step, void *held)
{
    int64_t times = pp_lease_deliveries(held);
    return say_int(step, PP_OK, &times);
}

static void lease_free(void *held)
{
    pp_lease_free(held);
}

static const row_t LEASE_ROWS[] = {
    {"ack", "", ack}, {"nak", "n", nak}, {"bury", "", bury}, {"extend", "n", extend}, {"deliveries", "", deliveries}, {NULL, NULL, NULL},
};

const kind_t LEASE = {"lease", LEASE_ROWS, lease_free, NULL, 0, NULL, NULL};
