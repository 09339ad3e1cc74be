/* Steps: their arguments, read as the tables say, and their answers. Knows no kind of object. */
#include "driver.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int32_t step_fault(step_t *step, const char *kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(step->fault_text, sizeof step->fault_text, format, arguments);
    va_end(arguments);
    step->fault_kind = kind;
    return FAULT;
}

bool step_seconds(const json_t *json, int64_t *nanoseconds)
{
    if (json->type != JSON_INT && json->type != JSON_FLOAT) {
        return false;
    }
    *nanoseconds = json->number < 9e9 ? (int64_t)(json->number * 1e9) : INT64_MAX;
    return true;
}

int64_t step_option(const step_t *step, const char *name, int64_t otherwise)
{
    const json_t *option = json_member(step->with, name);
    return option->type == JSON_INT ? option->integer : otherwise;
}

static bool read_items(arg_t *arg)
{
    size_t i = 0;
    arg->count = arg->json->len;
    arg->items = line_memory(arg->count * sizeof(pp_datum_t));
    for (const json_t *item = arg->json->first; item != NULL; item = item->next) {
        if (!value_encode(item, world_ticket, &arg->items[i++])) {
            return false;
        }
    }
    return arg->json->type == JSON_LIST;
}

static bool read_pairs(arg_t *arg)
{
    size_t i = 0;
    arg->count = arg->json->len;
    arg->items = line_memory(arg->count * sizeof(pp_datum_t));
    arg->values = line_memory(arg->count * sizeof(pp_datum_t));
    for (const json_t *pair = arg->json->first; pair != NULL; pair = pair->next, i++) {
        if (pair->type != JSON_LIST || pair->len != 2 || !value_encode(pair->first, world_ticket, &arg->items[i]) || !value_encode(pair->first->next, world_ticket, &arg->values[i])) {
            return false;
        }
    }
    return arg->json->type == JSON_LIST;
}

static bool read_arg(arg_t *arg, char type)
{
    const json_t *json = arg->json;
    switch (type) {
    case 'v':
        return value_encode(json, world_ticket, &arg->datum);
    case 'i':
        arg->integer = json->integer;
        return json->type == JSON_INT;
    case 'o':
        arg->integer = json->type == JSON_INT ? json->integer : PP_NONE;
        return json->type == JSON_INT || json->type == JSON_NULL;
    case 'n':
        return step_seconds(json, &arg->integer);
    case 't':
        arg->text = json->text;
        /* A text of C ends at its first NUL. */
        return json->type == JSON_TEXT && strlen(json->text) == json->len;
    case 'b':
        return value_bytes(json, &arg->bytes, &arg->len);
    case 'l':
        return read_items(arg);
    case 'p':
        return read_pairs(arg);
    default:
        return false;
    }
}

int32_t step_do(step_t *step, const row_t *rows, void *handle)
{
    static const json_t MISSING = {0};
    const row_t *row = rows;
    while (row->does != NULL && strcmp(row->does, step->does) != 0) {
        row++;
    }
    if (row->does == NULL) {
        return UNSUPPORTED;
    }
    const json_t *args = json_member(step->line, "args");
    const json_t *next = args->type == JSON_LIST ? args->first : NULL;
    for (size_t i = 0; row->takes[i] != 0; i++) {
        step->args[i].json = next == NULL ? &MISSING : next;
        if ((next == NULL && row->takes[i] != 'o') || !read_arg(&step->args[i], row->takes[i])) {
            return step_fault(step, "Driver", "argument %zu of `%s` is not what it takes (%c)", i, step->does, row->takes[i]);
        }
        next = next == NULL ? NULL : next->next;
    }
    return row->act(step, handle);
}

int32_t step_made(step_t *step, const kind_t *kind, int32_t status, void *handle)
{
    if (status == PP_OK) {
        step->made.kind = kind;
        step->made.handle = handle;
    }
    return status;
}

int32_t say_bool(step_t *step, int32_t status, const bool *answer)
{
    if (status == PP_OK) {
        text_print(step->answer, *answer ? "true" : "false");
    }
    return status;
}

int32_t say_int(step_t *step, int32_t status, const int64_t *answer)
{
    if (status == PP_OK) {
        text_print(step->answer, "%" PRId64, *answer);
    }
    return status;
}

int32_t say_size(step_t *step, int32_t status, const size_t *answer)
{
    if (status == PP_OK) {
        text_print(step->answer, "%zu", *answer);
    }
    return status;
}

int32_t say_lent(step_t *step, const void *data, size_t len)
{
    size_t at = 0;
    return value_print(step->answer, data, len, &at) ? PP_OK : step_fault(step, "Decode", "the answer is no value");
}

int32_t say_value(step_t *step, const pp_message_t *message)
{
    const void *data;
    size_t len, at = 0;
    pp_ticket_t ticket;
    int32_t status = pp_message_value(message, &data, &len, &step->error);
    if (status == PP_OK) {
        status = say_lent(step, data, len);
    }
    if (status == PP_OK && step->keep != NULL && pp_read_ticket(data, len, &at, &ticket, NULL) == PP_OK) {
        status = world_from_ticket(step, &ticket);
    }
    return status;
}

int32_t say_message(step_t *step, int32_t status, pp_message_t **message)
{
    if (status == PP_OK) {
        status = say_value(step, *message);
        pp_message_free(*message);
    }
    return status;
}

int32_t say_bytes(step_t *step, int32_t status, pp_message_t **message)
{
    if (status == PP_OK) {
        size_t len = 0;
        const void *data = pp_message_data(*message, &len);
        value_print_bytes(step->answer, data, len);
        pp_message_free(*message);
    }
    return status;
}

int32_t say_messages(step_t *step, int32_t status, pp_messages_t **messages)
{
    if (status != PP_OK) {
        return status;
    }
    text_print(step->answer, "[");
    for (size_t i = 0; status == PP_OK && i < pp_messages_len(*messages); i++) {
        text_add(step->answer, ",", i > 0);
        status = say_value(step, pp_messages_get(*messages, i));
    }
    text_print(step->answer, "]");
    pp_messages_free(*messages);
    return status;
}

int32_t say_acquired(step_t *step, int32_t status)
{
    if (status == PP_OWNER_DIED) {
        text_print(step->answer, "\"owner died\"");
        return PP_OK;
    }
    return say_bool(step, status, &(bool){true});
}

int32_t say_in_time(step_t *step, int32_t status)
{
    bool in_time = status == PP_OK;
    return say_bool(step, status == PP_TIMEOUT ? PP_OK : status, &in_time);
}
