/* What a step is, what can be done with it, and what it can be done on. Every kind of object is a table of steps. */
#ifndef DRIVER_H
#define DRIVER_H

#include "json.h"
#include "values.h"

#include <polyproc.h>

/* What a step ends with, beside the statuses of the library. */
enum {
    FAULT = -1,      /* the case or the driver is wrong: fault_kind and fault_text say how */
    UNSUPPORTED = -2 /* no such step */
};

/* An argument, read as the step's table says. */
typedef struct {
    const json_t *json;
    pp_datum_t datum;      /* v */
    int64_t integer;       /* i; o: PP_NONE if it is null or missing; n: nanoseconds */
    const char *text;      /* t */
    const uint8_t *bytes;  /* b */
    size_t len;
    pp_datum_t *items;     /* l; p: the keys */
    pp_datum_t *values;    /* p */
    size_t count;
} arg_t;

struct kind;

typedef struct {
    const struct kind *kind;
    void *handle;
} thing_t;

typedef struct {
    const json_t *line;
    const char *does;
    const char *keep;  /* the name that the answer is to have, if it is an object; NULL: none */
    const json_t *with;
    int64_t timeout;
    arg_t args[5];
    text_t *answer;    /* nothing in it: null */
    pp_error_t *error;
    const char *fault_kind;
    char fault_text[200];
    thing_t made;      /* what the answer is beside its value */
} step_t;

/* A step by its name. What it takes: a letter for each argument: v a value, i an integer, o an integer that may be missing, n seconds, t a text, b bytes, l a list of values, p a list of pairs. */
typedef struct {
    const char *does, *takes;
    int32_t (*act)(step_t *step, void *handle);
} row_t;

typedef struct kind {
    const char *name;      /* in cases */
    const row_t *rows;     /* up to one without a name */
    void (*free)(void *handle);
    int32_t (*open)(step_t *step, const char *name, int32_t how, void **handle); /* NULL: it is made otherwise */
    int32_t number;        /* of its tickets; 0: it does not travel */
    int32_t (*from_ticket)(const pp_ticket_t *ticket, void **handle, pp_error_t **error);
    int32_t (*ticket)(void *handle, pp_ticket_t *ticket, pp_error_t **error);
} kind_t;

/* What travels has the same four functions. */
#define TRAVELS(type)                                                                            \
    static void type##_free(void *handle)                                                        \
    {                                                                                            \
        pp_##type##_free(handle);                                                                \
    }                                                                                            \
    static int32_t type##_of(const pp_ticket_t *ticket, void **handle, pp_error_t **error)       \
    {                                                                                            \
        pp_##type##_t *made = NULL;                                                              \
        int32_t status = pp_##type##_from_ticket(ticket, &made, error);                          \
        *handle = made;                                                                          \
        return status;                                                                           \
    }                                                                                            \
    static int32_t type##_ticket(void *handle, pp_ticket_t *ticket, pp_error_t **error)          \
    {                                                                                            \
        return pp_##type##_ticket(handle, false, ticket, error);                                 \
    }                                                                                            \
    static int32_t type##_destroy(step_t *step, void *handle)                                    \
    {                                                                                            \
        return pp_##type##_destroy(handle, &step->error);                                        \
    }

extern const kind_t QUEUE, LEASE, LOCK, RLOCK, RWLOCK, SEMAPHORE, BOUNDED_SEMAPHORE, EVENT, CONDITION, BARRIER;
extern const kind_t DICT, SET, LIST, NAMESPACE, VALUE, ARRAY, PIPE, SHARED_MEMORY, PROCESS, POOL, FUTURE, WORKER;

/* The world of main.c. */
pp_fabric_t *world_fabric(void);
bool world_ticket(const char *name, pp_ticket_t *ticket);
int32_t world_from_ticket(step_t *step, const pp_ticket_t *ticket);

/* Steps, of step.c. */
int32_t step_fault(step_t *step, const char *kind, const char *format, ...);
int32_t step_do(step_t *step, const row_t *rows, void *handle);
int64_t step_option(const step_t *step, const char *name, int64_t otherwise);
bool step_seconds(const json_t *json, int64_t *nanoseconds);

/* What is made by this step. */
int32_t step_made(step_t *step, const kind_t *kind, int32_t status, void *handle);

/* Answers. Each takes the status of the call that filled what it points to, says that if the call succeeded, and returns it. (A pointer, since C has no order of arguments.) */
int32_t say_bool(step_t *step, int32_t status, const bool *answer);
int32_t say_int(step_t *step, int32_t status, const int64_t *answer);
int32_t say_size(step_t *step, int32_t status, const size_t *answer);
int32_t say_message(step_t *step, int32_t status, pp_message_t **message);
int32_t say_bytes(step_t *step, int32_t status, pp_message_t **message);
int32_t say_messages(step_t *step, int32_t status, pp_messages_t **messages);
int32_t say_value(step_t *step, const pp_message_t *message);
int32_t say_lent(step_t *step, const void *data, size_t len);

/* True; or, with a lock whose owner died, that it did. */
int32_t say_acquired(step_t *step, int32_t status);

/* True; or false, where time was up. */
int32_t say_in_time(step_t *step, int32_t status);

/* Tasks, of tasks.c. */
int32_t tasks_offer(pp_error_t **error);

/* The general steps of processes.c. */
extern const row_t PROCESS_STEPS[];

#endif
