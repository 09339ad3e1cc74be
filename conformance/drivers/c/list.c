/* List. */
#include "driver.h"

#include <string.h>

TRAVELS(list)

static int32_t open_list(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_list_t *made = NULL;
    int32_t status = pp_list_open(world_fabric(), name, how, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t append(step_t *step, void *list)
{
    return pp_list_append(list, step->args[0].datum, &step->error);
}

static int32_t extend(step_t *step, void *list)
{
    return pp_list_extend(list, step->args[0].items, step->args[0].count, &step->error);
}

static int32_t insert(step_t *step, void *list)
{
    return pp_list_insert(list, step->args[0].integer, step->args[1].datum, &step->error);
}

static int32_t get(step_t *step, void *list)
{
    pp_message_t *item = NULL;
    return say_message(step, pp_list_get(list, step->args[0].integer, &item, &step->error), &item);
}

static int32_t set(step_t *step, void *list)
{
    return pp_list_set(list, step->args[0].integer, step->args[1].datum, &step->error);
}

static int32_t delete(step_t *step, void *list)
{
    return pp_list_delete(list, step->args[0].integer, &step->error);
}

static int32_t pop(step_t *step, void *list)
{
    pp_message_t *item = NULL;
    int64_t at = step->args[0].integer;
    return say_message(step, at == PP_NONE ? pp_list_pop(list, &item, &step->error) : pp_list_pop_at(list, at, &item, &step->error), &item);
}

static pp_slice_t slice_of(const step_t *step)
{
    pp_slice_t slice = {step->args[0].integer, step->args[1].integer, step->args[2].integer};
    return slice;
}

static int32_t slice(step_t *step, void *list)
{
    pp_messages_t *items = NULL;
    return say_messages(step, pp_list_get_slice(list, slice_of(step), &items, &step->error), &items);
}

static int32_t set_slice(step_t *step, void *list)
{
    return pp_list_set_slice(list, slice_of(step), step->args[3].items, step->args[3].count, &step->error);
}

static int32_t delete_slice(step_t *step, void *list)
{
    return pp_list_delete_slice(list, slice_of(step), &step->error);
}

static int32_t index_of(step_t *step, void *list)
{
    size_t index = 0;
    return say_size(step, pp_list_index_of(list, step->args[0].datum, PP_NONE, PP_NONE, &index, &step->error), &index);
}

static int32_t count(step_t *step, void *list)
{
    size_t times = 0;
    return say_size(step, pp_list_count(list, step->args[0].datum, &times, &step->error), &times);
}

static int32_t contains(step_t *step, void *list)
{
    bool found = false;
    return say_bool(step, pp_list_contains(list, step->args[0].datum, &found, &step->error), &found);
}

static int32_t remove_item(step_t *step, void *list)
{
    return pp_list_remove(list, step->args[0].datum, &step->error);
}

static int32_t reverse(step_t *step, void *list)
{
    return pp_list_reverse(list, &step->error);
}

static int32_t repeat(step_t *step, void *list)
{
    return pp_list_repeat(list, (size_t)step->args[0].integer, &step->error);
}

static int32_t plus(step_t *step, void *list)
{
    pp_messages_t *all = NULL;
    return say_messages(step, pp_list_plus(list, step->args[0].items, step->args[0].count, &all, &step->error), &all);
}

static int32_t times(step_t *step, void *list)
{
    pp_messages_t *all = NULL;
    return say_messages(step, pp_list_times(list, (size_t)step->args[0].integer, &all, &step->error), &all);
}

/* Numbers by size, texts by code point, which is the order of their bytes. The context is 1, or -1 for the other way round. */
static int32_t compare(const pp_message_t *a, const pp_message_t *b, void *context)
{
    int direction = *(const int *)context, order = 0;
    double x, y;
    const char *left, *right;
    size_t left_len, right_len;
    if (pp_message_float(a, &x, NULL) == PP_OK && pp_message_float(b, &y, NULL) == PP_OK) {
        order = (x > y) - (x < y);
    } else if (pp_message_text(a, &left, &left_len, NULL) == PP_OK && pp_message_text(b, &right, &right_len, NULL) == PP_OK) {
        order = memcmp(left, right, left_len < right_len ? left_len : right_len);
        order = order != 0 ? order : (left_len > right_len) - (left_len < right_len);
    }
    return direction * order;
}

static int32_t sort(step_t *step, void *list)
{
    int direction = 1;
    return pp_list_sort(list, compare, &direction, &step->error);
}

static int32_t sort_reverse(step_t *step, void *list)
{
    int direction = -1;
    return pp_list_sort(list, compare, &direction, &step->error);
}

static int32_t increment(step_t *step, void *list)
{
    int64_t sum = 0;
    return say_int(step, pp_list_increment(list, step->args[0].integer, step->args[1].integer, &sum, &step->error), &sum);
}

static int32_t compare_and_set(step_t *step, void *list)
{
    bool done = false;
    return say_bool(step, pp_list_compare_and_set(list, step->args[0].integer, step->args[1].datum, step->args[2].datum, &done, &step->error), &done);
}

static int32_t items(step_t *step, void *list)
{
    pp_messages_t *all = NULL;
    pp_slice_t slice = {PP_NONE, PP_NONE, PP_NONE};
    return say_messages(step, pp_list_get_slice(list, slice, &all, &step->error), &all);
}

static int32_t len(step_t *step, void *list)
{
    size_t count = 0;
    return say_size(step, pp_list_len(list, &count, &step->error), &count);
}

static int32_t clear(step_t *step, void *list)
{
    return pp_list_clear(list, &step->error);
}

static const row_t LIST_ROWS[] = {
    {"append", "v", append},
    {"extend", "l", extend},
    {"insert", "iv", insert},
    {"get", "i", get},
    {"set", "iv", set},
    {"delete", "i", delete},
    {"pop", "o", pop},
    {"slice", "ooo", slice},
    {"set_slice", "oool", set_slice},
    {"delete_slice", "ooo", delete_slice},
    {"index", "v", index_of},
    {"count", "v", count},
    {"contains", "v", contains},
    {"remove", "v", remove_item},
    {"reverse", "", reverse},
    {"repeat", "i", repeat},
    {"plus", "l", plus},
    {"times", "i", times},
    {"sort", "", sort},
    {"sort_reverse", "", sort_reverse},
    {"increment", "ii", increment},
    {"compare_and_set", "ivv", compare_and_set},
    {"items", "", items},
    {"len", "", len},
    {"clear", "", clear},
    {"destroy", "", list_destroy},
    {NULL, NULL, NULL},
};

const kind_t LIST = {"list", LIST_ROWS, list_free, open_list, PP_KIND_LIST, list_of, list_ticket};
