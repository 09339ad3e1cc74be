/* The driver for C: carries out steps by polyproc.h, as a user's program would. One line in, one answer out; it knows no case. */
#include "driver.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A fabric's room: no case needs more. */
static const uint64_t CAP = (uint64_t)64 << 20;

static const kind_t *const KINDS[] = {
    &QUEUE, &LOCK, &RLOCK, &RWLOCK, &SEMAPHORE, &BOUNDED_SEMAPHORE, &EVENT, &CONDITION, &BARRIER,
    &DICT, &SET, &LIST, &NAMESPACE, &VALUE, &ARRAY, &PIPE, &SHARED_MEMORY,
};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS };

typedef struct named {
    struct named *next;
    char *name;
    thing_t thing;
} named_t;

static pp_fabric_t *fabric;
static named_t *things;

pp_fabric_t *world_fabric(void)
{
    return fabric;
}

/* Where the thing of this name hangs; at the end, if there is none. */
static named_t **find(const char *name)
{
    named_t **at = &things;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static void drop(named_t **at)
{
    named_t *named = *at;
    if (named != NULL) {
        *at = named->next;
        named->thing.kind->free(named->thing.handle);
        free(named->name);
        free(named);
    }
}

static void keep(const char *name, thing_t thing)
{
    drop(find(name));
    named_t *named = malloc(sizeof *named);
    char *copy = malloc(strlen(name) + 1);
    if (named == NULL || copy == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    *named = (named_t){things, strcpy(copy, name), thing};
    things = named;
}

bool world_ticket(const char *name, pp_ticket_t *ticket)
{
    named_t *named = *find(name);
    return named != NULL && named->thing.kind->ticket != NULL && named->thing.kind->ticket(named->thing.handle, ticket, NULL) == PP_OK;
}

int32_t world_from_ticket(step_t *step, const pp_ticket_t *ticket)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (KINDS[i]->number != 0 && KINDS[i]->number == pp_ticket_kind(ticket)) {
            void *handle = NULL;
            int32_t status = KINDS[i]->from_ticket(ticket, &handle, &step->error);
            return step_made(step, KINDS[i], status, handle);
        }
    }
    return PP_OK;
}

static int32_t begin(step_t *step, void *handle)
{
    pp_fabric_options_t options = PP_FABRIC_OPTIONS_INIT;
    options.cap = CAP;
    (void)handle;
    bool make = step->args[1].json->flag;
    int32_t status = pp_fabric_open(step->args[0].text, make ? PP_CREATE : PP_OPEN, make ? &options : NULL, &fabric, &step->error);
    return status == PP_OK ? pp_fabric_set_current(fabric, &step->error) : status;
}

/* An object of this name and kind, which has this name here too. */
static int32_t object(step_t *step, int32_t how)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(KINDS[i]->name, step->args[1].text) == 0) {
            thing_t thing = {KINDS[i], NULL};
            int32_t status = thing.kind->open(step, step->args[0].text, how, &thing.handle);
            if (status == PP_OK) {
                keep(step->args[0].text, thing);
            }
            return status;
        }
    }
    return UNSUPPORTED;
}

static int32_t make(step_t *step, void *handle)
{
    (void)handle;
    return object(step, PP_CREATE);
}

static int32_t open(step_t *step, void *handle)
{
    (void)handle;
    return object(step, PP_OPEN);
}

static int32_t end(step_t *step, void *handle)
{
    (void)step, (void)handle;
    while (things != NULL) {
        drop(&things);
    }
    pp_fabric_free(fabric);
    fabric = NULL;
    return PP_OK;
}

static int32_t sweep(step_t *step, void *handle)
{
    size_t swept;
    (void)handle;
    return pp_fabric_sweep(fabric, &swept, &step->error);
}

static int32_t members(step_t *step, void *handle)
{
    size_t count = 0;
    int32_t status = sweep(step, handle);
    if (status != PP_OK) {
        return status;
    }
    return say_size(step, pp_fabric_members(fabric, NULL, 0, &count, &step->error), &count);
}

static int32_t remove_name(step_t *step, void *handle)
{
    (void)handle;
    return pp_fabric_remove(fabric, step->args[0].text, &step->error);
}

/* begin's second argument is a bool: it is read as any value. */
static const row_t GENERAL[] = {
    {"begin", "tv", begin}, {"make", "tt", make}, {"open", "tt", open}, {"end", "", end}, {"members", "", members}, {"sweep", "", sweep},
    {"remove", "t", remove_name}, {NULL, NULL, NULL},
};

static int32_t act(step_t *step)
{
    const json_t *on = json_member(step->line, "on");
    if (on->type != JSON_TEXT) {
        int32_t status = step_do(step, GENERAL, NULL);
        return status == UNSUPPORTED ? step_do(step, PROCESS_STEPS, NULL) : status;
    }
    named_t **at = find(on->text);
    if (strcmp(step->does, "drop") == 0) {
        drop(at);
        return PP_OK;
    }
    if (*at == NULL) {
        return step_fault(step, "Driver", "nothing is called %s", on->text);
    }
    return step_do(step, (*at)->thing.kind->rows, (*at)->thing.handle);
}

/* The name of an error's kind: OwnerDied of OWNER_DIED. */
static void say_kind(text_t *text, int32_t status)
{
    bool first = true;
    for (const char *name = pp_status_name(status); *name != 0; name++) {
        char letter = (char)(first ? *name : tolower((unsigned char)*name));
        first = *name == '_';
        text_add(text, &letter, *name != '_');
    }
}

static void say_error(text_t *text, const char *message)
{
    text_print(text, "\",\"text\":");
    text_string(text, message, strlen(message));
}

static void answer(const json_t *line, text_t *text)
{
    text_t value = {0};
    step_t step = {.line = line, .with = json_member(line, "with"), .does = json_member(line, "do")->text, .timeout = PP_FOREVER, .answer = &value};
    step.keep = json_member(line, "as")->text;
    step_seconds(json_member(line, "timeout"), &step.timeout);
    int32_t status = step.does == NULL ? step_fault(&step, "Driver", "a line without `do`") : act(&step);
    text_print(text, "{\"id\":%" PRId64 ",", json_member(line, "id")->integer);
    if (status == PP_OK) {
        text_print(text, "\"is\":");
        text_add(text, value.len == 0 ? "null" : value.data, value.len == 0 ? 4 : value.len);
    } else if (status == UNSUPPORTED) {
        text_print(text, "\"unsupported\":true");
    } else if (status == FAULT) {
        text_print(text, "\"error\":\"%s", step.fault_kind);
        say_error(text, step.fault_text);
    } else {
        text_print(text, "\"error\":\"");
        say_kind(text, status);
        say_error(text, pp_error_message(step.error));
    }
    text_print(text, "}\n");
    if (step.made.kind != NULL) {
        if (status == PP_OK && step.keep != NULL) {
            keep(step.keep, step.made);
        } else {
            step.made.kind->free(step.made.handle);
        }
    }
    pp_error_free(step.error);
    free(value.data);
}

int main(void)
{
    pp_error_t *error = NULL;
    text_t text = {0};
    char *line = NULL;
    size_t room = 0;
    if (tasks_offer(&error) || pp_main(&error)) {
        fprintf(stderr, "%s\n", pp_error_message(error));
        return 1;
    }
    while (getline(&line, &room, stdin) >= 0) {
        const json_t *json = json_parse(line);
        if (json == NULL) {
            fprintf(stderr, "a line that is no JSON: %s\n", line);
            return 1;
        }
        text.len = 0;
        answer(json, &text);
        fwrite(text.data, 1, text.len, stdout);
        if (fflush(stdout) != 0) {
            return 1;
        }
        line_over();
    }
    end(NULL, NULL);
    free(text.data);
    free(line);
    return 0;
}
