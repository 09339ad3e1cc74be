/* Dict, set and namespace. */
#include "driver.h"

#include <inttypes.h>
#include <string.h>

TRAVELS(dict)

static int32_t open_dict(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_dict_t *made = NULL;
    int32_t status = pp_dict_open(world_fabric(), name, how, &made, &step->error);
    *handle = made;
    return status;
}

/* The value of the second argument, where there is no such key. */
static int32_t or_default(step_t *step, int32_t status, pp_message_t **message)
{
    if (status == PP_NOT_FOUND) {
        return say_lent(step, step->args[1].datum.data, step->args[1].datum.len);
    }
    return say_message(step, status, message);
}

/* `[key,value]`, both of which are freed. */
static int32_t say_pair(step_t *step, pp_message_t *key, pp_message_t *value)
{
    text_print(step->answer, "[");
    int32_t status = say_value(step, key);
    text_print(step->answer, ",");
    if (status == PP_OK) {
        status = say_value(step, value);
    }
    text_print(step->answer, "]");
    pp_message_free(key);
    pp_message_free(value);
    return status;
}

static int32_t dict_set(step_t *step, void *dict)
{
    uint64_t version;
    return pp_dict_set(dict, step->args[0].datum, step->args[1].datum, &version, &step->error);
}

static int32_t dict_get(step_t *step, void *dict)
{
    pp_message_t *value = NULL;
    return say_message(step, pp_dict_get(dict, step->args[0].datum, &value, NULL, &step->error), &value);
}

static int32_t get_or(step_t *step, void *dict)
{
    pp_message_t *value = NULL;
    return or_default(step, pp_dict_get(dict, step->args[0].datum, &value, NULL, &step->error), &value);
}

static int32_t dict_contains(step_t *step, void *dict)
{
    bool found = false;
    return say_bool(step, pp_dict_contains(dict, step->args[0].datum, &found, &step->error), &found);
}

static int32_t dict_delete(step_t *step, void *dict)
{
    return pp_dict_delete(dict, step->args[0].datum, &step->error);
}

static int32_t dict_pop(step_t *step, void *dict)
{
    pp_message_t *value = NULL;
    return say_message(step, pp_dict_pop(dict, step->args[0].datum, &value, &step->error), &value);
}

static int32_t pop_or(step_t *step, void *dict)
{
    pp_message_t *value = NULL;
    return or_default(step, pp_dict_pop(dict, step->args[0].datum, &value, &step->error), &value);
}

static int32_t pop_item(step_t *step, void *dict)
{
    pp_message_t *key = NULL, *value = NULL;
    int32_t status = pp_dict_pop_item(dict, &key, &value, &step->error);
    return status == PP_OK ? say_pair(step, key, value) : status;
}

static int32_t set_default(step_t *step, void *dict)
{
    pp_message_t *value = NULL;
    return say_message(step, pp_dict_set_default(dict, step->args[0].datum, step->args[1].datum, &value, &step->error), &value);
}

static int32_t increment(step_t *step, void *dict)
{
    int64_t sum = 0;
    return say_int(step, pp_dict_increment(dict, step->args[0].datum, step->args[1].integer, &sum, &step->error), &sum);
}

static int32_t dict_update(step_t *step, void *dict)
{
    return pp_dict_update(dict, step->args[0].items, step->args[0].values, step->args[0].count, &step->error);
}

static int32_t keys(step_t *step, void *dict)
{
    pp_messages_t *all = NULL, *values = NULL;
    int32_t status = pp_dict_snapshot(dict, &all, &values, &step->error);
    pp_messages_free(values);
    return say_messages(step, status, &all);
}

static int32_t values(step_t *step, void *dict)
{
    pp_messages_t *all = NULL, *values = NULL;
    int32_t status = pp_dict_snapshot(dict, &all, &values, &step->error);
    pp_messages_free(all);
    return say_messages(step, status, &values);
}

static int32_t dict_items(step_t *step, void *dict)
{
    pp_messages_t *all = NULL, *values = NULL;
    int32_t status = pp_dict_snapshot(dict, &all, &values, &step->error);
    text_print(step->answer, "[");
    for (size_t i = 0; status == PP_OK && i < pp_messages_len(all); i++) {
        pp_message_t *key = NULL, *value = NULL;
        text_add(step->answer, ",", i > 0);
        pp_messages_take(all, i, &key, NULL);
        pp_messages_take(values, i, &value, NULL);
        status = say_pair(step, key, value);
    }
    text_print(step->answer, "]");
    pp_messages_free(all);
    pp_messages_free(values);
    return status;
}

static int32_t keys_reversed(step_t *step, void *dict)
{
    pp_entries_t *entries = NULL;
    int32_t status = pp_dict_iterate(dict, true, &entries, &step->error);
    text_print(step->answer, "[");
    for (bool first = true; status == PP_OK; first = false) {
        pp_message_t *key = NULL, *value = NULL;
        /* The error that says the end is this loop's own. */
        status = pp_entries_next(entries, &key, &value, NULL);
        text_add(step->answer, ",", !first && status == PP_OK);
        status = say_message(step, status, &key);
        pp_message_free(value);
    }
    text_print(step->answer, "]");
    pp_entries_free(entries);
    return status == PP_EMPTY ? PP_OK : status;
}

static int32_t dict_len(step_t *step, void *dict)
{
    size_t count = 0;
    return say_size(step, pp_dict_len(dict, &count, &step->error), &count);
}

static int32_t dict_clear(step_t *step, void *dict)
{
    return pp_dict_clear(dict, &step->error);
}

static int32_t copy(step_t *step, void *dict)
{
    pp_dict_t *made = NULL;
    int32_t status = pp_dict_copy(dict, &made, &step->error);
    return step_made(step, &DICT, status, made);
}

static int32_t get_version(step_t *step, void *dict)
{
    pp_message_t *value = NULL;
    uint64_t version = 0;
    int32_t status = pp_dict_get(dict, step->args[0].datum, &value, &version, &step->error);
    text_print(step->answer, "[");
    status = say_message(step, status, &value);
    text_print(step->answer, ",%" PRIu64 "]", version);
    return status;
}

static int32_t dict_compare_and_set(step_t *step, void *dict)
{
    uint64_t expected = (uint64_t)step->args[1].integer, version;
    bool done = false;
    const uint64_t *seen = step->args[1].integer == PP_NONE ? NULL : &expected;
    return say_bool(step, pp_dict_compare_and_set(dict, step->args[0].datum, seen, step->args[2].datum, &done, &version, &step->error), &done);
}

static int32_t wait_key(step_t *step, void *dict)
{
    pp_message_t *value = NULL;
    return say_message(step, pp_dict_wait_key(dict, step->args[0].datum, NULL, step->timeout, &value, NULL, &step->error), &value);
}

static const row_t DICT_ROWS[] = {
    {"set", "vv", dict_set},
    {"get", "v", dict_get},
    {"get_or", "vv", get_or},
    {"contains", "v", dict_contains},
    {"delete", "v", dict_delete},
    {"pop", "v", dict_pop},
    {"pop_or", "vv", pop_or},
    {"pop_item", "", pop_item},
    {"set_default", "vv", set_default},
    {"increment", "vi", increment},
    {"update", "p", dict_update},
    {"keys", "", keys},
    {"values", "", values},
    {"items", "", dict_items},
    {"keys_reversed", "", keys_reversed},
    {"len", "", dict_len},
    {"clear", "", dict_clear},
    {"copy", "", copy},
    {"get_version", "v", get_version},
    {"compare_and_set", "vov", dict_compare_and_set},
    {"wait_key", "v", wait_key},
    {"destroy", "", dict_destroy},
    {NULL, NULL, NULL},
};

const kind_t DICT = {"dict", DICT_ROWS, dict_free, open_dict, PP_KIND_DICT, dict_of, dict_ticket};

TRAVELS(set)

static int32_t open_set(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_set_t *made = NULL;
    int32_t status = pp_set_open(world_fabric(), name, how, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t add(step_t *step, void *set)
{
    bool added = false;
    return say_bool(step, pp_set_add(set, step->args[0].datum, &added, &step->error), &added);
}

static pp_elements_t other(const step_t *step)
{
    return pp_elements(step->args[0].items, step->args[0].count);
}

/* An operator that answers elements, one that changes the set, and one that compares. */
#define ANSWERS(name)                                                                                \
    static int32_t set_##name(step_t *step, void *set)                                               \
    {                                                                                                \
        pp_messages_t *elements = NULL;                                                              \
        return say_messages(step, pp_set_##name(set, other(step), &elements, &step->error), &elements); \
    }
#define CHANGES(name)                                                 \
    static int32_t set_##name(step_t *step, void *set)                \
    {                                                                 \
        return pp_set_##name(set, other(step), &step->error);         \
    }
#define COMPARES(name)                                                                    \
    static int32_t name(step_t *step, void *set)                                          \
    {                                                                                     \
        bool is = false;                                                                  \
        return say_bool(step, pp_set_##name(set, other(step), &is, &step->error), &is);   \
    }
ANSWERS(union)
ANSWERS(intersection)
ANSWERS(difference)
ANSWERS(symmetric_difference)
CHANGES(update)
CHANGES(intersection_update)
CHANGES(difference_update)
CHANGES(symmetric_difference_update)
COMPARES(is_subset)
COMPARES(is_superset)
COMPARES(is_disjoint)

static int32_t set_contains(step_t *step, void *set)
{
    bool found = false;
    return say_bool(step, pp_set_contains(set, step->args[0].datum, &found, &step->error), &found);
}

static int32_t discard(step_t *step, void *set)
{
    bool was_there = false;
    return say_bool(step, pp_set_discard(set, step->args[0].datum, &was_there, &step->error), &was_there);
}

static int32_t set_remove(step_t *step, void *set)
{
    return pp_set_remove(set, step->args[0].datum, &step->error);
}

static int32_t set_pop(step_t *step, void *set)
{
    pp_message_t *element = NULL;
    return say_message(step, pp_set_pop(set, &element, &step->error), &element);
}

static int32_t set_len(step_t *step, void *set)
{
    size_t count = 0;
    return say_size(step, pp_set_len(set, &count, &step->error), &count);
}

static int32_t set_clear(step_t *step, void *set)
{
    return pp_set_clear(set, &step->error);
}

static int32_t set_items(step_t *step, void *set)
{
    pp_messages_t *elements = NULL;
    return say_messages(step, pp_set_snapshot(set, &elements, &step->error), &elements);
}

static const row_t SET_ROWS[] = {
    {"add", "v", add}, {"contains", "v", set_contains}, {"discard", "v", discard}, {"remove", "v", set_remove},
    {"pop", "", set_pop},
    {"len", "", set_len}, {"clear", "", set_clear}, {"items", "", set_items},
    {"union", "l", set_union}, {"intersection", "l", set_intersection}, {"difference", "l", set_difference}, {"symmetric_difference", "l", set_symmetric_difference},
    {"update", "l", set_update}, {"intersection_update", "l", set_intersection_update}, {"difference_update", "l", set_difference_update},
    {"symmetric_difference_update", "l", set_symmetric_difference_update},
    {"is_subset", "l", is_subset}, {"is_superset", "l", is_superset}, {"is_disjoint", "l", is_disjoint}, {"destroy", "", set_destroy}, {NULL, NULL, NULL},
};

const kind_t SET = {"set", SET_ROWS, set_free, open_set, PP_KIND_SET, set_of, set_ticket};

TRAVELS(namespace)

static int32_t open_namespace(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_namespace_t *made = NULL;
    int32_t status = pp_namespace_open(world_fabric(), name, how, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t namespace_set(step_t *step, void *space)
{
    return pp_namespace_set(space, step->args[0].text, step->args[1].datum, &step->error);
}

static int32_t namespace_get(step_t *step, void *space)
{
    pp_message_t *value = NULL;
    return say_message(step, pp_namespace_get(space, step->args[0].text, &value, &step->error), &value);
}

static int32_t namespace_delete(step_t *step, void *space)
{
    return pp_namespace_delete(space, step->args[0].text, &step->error);
}

static int32_t namespace_contains(step_t *step, void *space)
{
    bool found = false;
    return say_bool(step, pp_namespace_contains(space, step->args[0].text, &found, &step->error), &found);
}

static int32_t names(step_t *step, void *space)
{
    pp_names_t *all = NULL;
    int32_t status = pp_namespace_names(space, &all, &step->error);
    text_print(step->answer, "[");
    for (size_t i = 0; i < pp_names_len(all); i++) {
        const char *name = pp_names_get(all, i);
        text_add(step->answer, ",", i > 0);
        text_string(step->answer, name, strlen(name));
    }
    text_print(step->answer, "]");
    pp_names_free(all);
    return status;
}

static const row_t NAMESPACE_ROWS[] = {
    {"set", "tv", namespace_set}, {"get", "t", namespace_get}, {"delete", "t", namespace_delete}, {"contains", "t", namespace_contains},
    {"names", "", names}, {"destroy", "", namespace_destroy}, {NULL, NULL, NULL},
};

const kind_t NAMESPACE = {"namespace", NAMESPACE_ROWS, namespace_free, open_namespace, PP_KIND_NAMESPACE, namespace_of, namespace_ticket};
