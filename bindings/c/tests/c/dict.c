/* Dict, set, namespace and list: every function. */
#include "check.h"

static pp_fabric_t *fabric;

static int64_t int_of(const pp_message_t *message)
{
    int64_t value = 0;
    OK(pp_message_int(message, &value, &error));
    return value;
}

static int64_t take_int(pp_message_t *message)
{
    int64_t value = int_of(message);
    pp_message_free(message);
    return value;
}

static void dicts(void)
{
    pp_dict_t *dict, *same, *copy;
    pp_message_t *message, *key;
    pp_messages_t *keys, *values;
    pp_entries_t *entries;
    pp_datum_t names[2], numbers[2];
    pp_ticket_t ticket;
    uint64_t version = 0, later = 0;
    int64_t sum;
    size_t len;
    bool yes;
    OK(pp_dict_open(fabric, "dict", PP_CREATE, &dict, &error));
    EXPECT(PP_NOT_FOUND, NULL, pp_dict_get(dict, pp_text("a"), &message, NULL, &error));
    OK(pp_dict_set(dict, pp_text("a"), pp_int(1), &version, &error));
    OK(pp_dict_get(dict, pp_text("a"), &message, &later, &error));
    CHECK(take_int(message) == 1 && later == version);
    OK(pp_dict_set(dict, pp_int(1), pp_text("one"), NULL, &error));
    OK(pp_dict_contains(dict, pp_float(1.0), &yes, &error)); /* 1 == 1.0 */
    CHECK(yes);
    OK(pp_dict_delete(dict, pp_bool(true), &error));
    EXPECT(PP_NOT_FOUND, NULL, pp_dict_delete(dict, pp_int(1), &error));
    EXPECT(PP_INVALID_ARGUMENT, "map", pp_dict_set(dict, pp_encoded("\x80", 1, PP_CODEC_VALUE), pp_nil(), NULL, &error));
    OK(pp_dict_set_default(dict, pp_text("a"), pp_int(9), &message, &error));
    CHECK(take_int(message) == 1);
    OK(pp_dict_compare_and_set(dict, pp_text("a"), &version, pp_int(2), &yes, &later, &error));
    CHECK(yes && later != version);
    OK(pp_dict_compare_and_set(dict, pp_text("a"), &version, pp_int(3), &yes, &later, &error));
    CHECK(!yes);
    OK(pp_dict_compare_and_set(dict, pp_text("new"), NULL, pp_int(3), &yes, NULL, &error));
    CHECK(yes);
    OK(pp_dict_compare_and_delete(dict, pp_text("a"), version, &yes, &error));
    CHECK(!yes);
    OK(pp_dict_increment(dict, pp_text("a"), 40, &sum, &error));
    CHECK(sum == 42);
    OK(pp_dict_pop(dict, pp_text("a"), &message, &error));
    CHECK(take_int(message) == 42);
    EXPECT(PP_NOT_FOUND, NULL, pp_dict_pop(dict, pp_text("a"), &message, &error));
    OK(pp_dict_pop_item(dict, &key, &message, &error));
    pp_message_free(key);
    CHECK(take_int(message) == 3);
    EXPECT(PP_NOT_FOUND, NULL, pp_dict_pop_item(dict, &key, &message, &error));
    names[0] = pp_text("x");
    names[1] = pp_text("y");
    numbers[0] = pp_int(10);
    numbers[1] = pp_int(20);
    OK(pp_dict_update(dict, names, numbers, 2, &error));
    OK(pp_dict_copy(dict, &copy, &error));
    OK(pp_dict_clear(copy, &error));
    OK(pp_dict_update_from(copy, dict, &error));
    OK(pp_dict_len(copy, &len, &error));
    CHECK(len == 2);
    OK(pp_dict_snapshot(copy, &keys, &values, &error));
    CHECK(pp_messages_len(keys) == 2 && int_of(pp_messages_get(values, 1)) == 20);
    pp_messages_free(keys);
    pp_messages_free(values);
    OK(pp_dict_iterate(copy, true, &entries, &error));
    OK(pp_entries_next(entries, &key, &message, &error));
    pp_message_free(key);
    CHECK(take_int(message) == 20);
    OK(pp_entries_next(entries, &key, NULL, &error));
    pp_message_free(key);
    EXPECT(PP_EMPTY, NULL, pp_entries_next(entries, &key, &message, &error));
    pp_entries_free(entries);
    OK(pp_dict_version(dict, &version, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_dict_wait_change(dict, version, PP_MILLISECOND, &later, &error));
    OK(pp_dict_set(dict, names[0], numbers[1], NULL, &error));
    OK(pp_dict_wait_change(dict, version, PP_FOREVER, &later, &error));
    OK(pp_dict_wait_key(dict, names[0], NULL, PP_FOREVER, &message, &version, &error));
    CHECK(take_int(message) == 20);
    EXPECT(PP_TIMEOUT, NULL, pp_dict_wait_key(dict, names[0], &version, PP_MILLISECOND, &message, NULL, &error));
    OK(pp_dict_ticket(dict, false, &ticket, &error));
    OK(pp_dict_from_ticket(&ticket, &same, &error));
    OK(pp_dict_set(copy, pp_text("handle"), pp_object(&ticket), NULL, &error));
    OK(pp_dict_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_dict_set(dict, names[0], numbers[0], NULL, &error));
    pp_dict_free(same);
    pp_dict_free(copy);
    pp_dict_free(dict);
}

static void sets(void)
{
    pp_set_t *set, *same;
    pp_message_t *message, *none = (pp_message_t *)1;
    pp_messages_t *elements;
    pp_entries_t *entries;
    pp_ticket_t ticket;
    uint64_t version, later;
    size_t len;
    bool yes;
    OK(pp_set_open(fabric, "set", PP_CREATE, &set, &error));
    OK(pp_set_add(set, pp_int(5), &yes, &error));
    CHECK(yes);
    OK(pp_set_add(set, pp_float(5.0), &yes, &error));
    CHECK(!yes);
    OK(pp_set_contains(set, pp_int(5), &yes, &error));
    CHECK(yes);
    OK(pp_set_version(set, &version, &error));
    OK(pp_set_remove(set, pp_int(5), &error));
    EXPECT(PP_NOT_FOUND, NULL, pp_set_remove(set, pp_int(5), &error));
    OK(pp_set_wait_change(set, version, PP_FOREVER, &later, &error));
    OK(pp_set_discard(set, pp_int(5), &yes, &error));
    CHECK(!yes);
    OK(pp_set_add(set, pp_int(6), NULL, &error));
    OK(pp_set_add(set, pp_int(7), NULL, &error));
    OK(pp_set_snapshot(set, &elements, &error));
    CHECK(pp_messages_len(elements) == 2);
    pp_messages_free(elements);
    OK(pp_set_iterate(set, &entries, &error));
    OK(pp_entries_next(entries, &message, &none, &error));
    CHECK(take_int(message) == 6 && none == NULL);
    pp_entries_free(entries);
    OK(pp_set_pop(set, &message, &error));
    CHECK(take_int(message) == 7);
    OK(pp_set_clear(set, &error));
    OK(pp_set_len(set, &len, &error));
    CHECK(len == 0);
    EXPECT(PP_NOT_FOUND, NULL, pp_set_pop(set, &message, &error));
    OK(pp_set_ticket(set, false, &ticket, &error));
    OK(pp_set_from_ticket(&ticket, &same, &error));
    OK(pp_set_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_set_add(set, pp_int(1), NULL, &error));
    pp_set_free(same);
    pp_set_free(set);
}

static void namespaces(void)
{
    pp_namespace_t *space, *same;
    pp_names_t *names;
    pp_message_t *message;
    pp_ticket_t ticket;
    uint64_t version, later;
    bool yes;
    OK(pp_namespace_open(fabric, "namespace", PP_CREATE, &space, &error));
    OK(pp_namespace_version(space, &version, &error));
    OK(pp_namespace_set(space, "speed", pp_int(3), &error));
    OK(pp_namespace_wait_change(space, version, PP_FOREVER, &later, &error));
    OK(pp_namespace_get(space, "speed", &message, &error));
    CHECK(take_int(message) == 3);
    OK(pp_namespace_contains(space, "speed", &yes, &error));
    CHECK(yes);
    OK(pp_namespace_names(space, &names, &error));
    CHECK(pp_names_len(names) == 1 && strcmp(pp_names_get(names, 0), "speed") == 0 && pp_names_get(names, 1) == NULL);
    pp_names_free(names);
    OK(pp_namespace_delete(space, "speed", &error));
    EXPECT(PP_NOT_FOUND, "speed", pp_namespace_get(space, "speed", &message, &error));
    OK(pp_namespace_ticket(space, false, &ticket, &error));
    OK(pp_namespace_from_ticket(&ticket, &same, &error));
    OK(pp_namespace_destroy(same, &error));
    pp_namespace_free(same);
    pp_namespace_free(space);
}

static int32_t descending(const pp_message_t *a, const pp_message_t *b, void *context)
{
    int64_t x = int_of(a), y = int_of(b);
    *(int *)context += 1;
    return x > y ? -1 : x < y;
}

static void lists(void)
{
    pp_list_t *list, *same;
    pp_message_t *message;
    pp_messages_t *messages;
    pp_entries_t *entries;
    pp_datum_t items[3];
    pp_slice_t slice = {PP_NONE, PP_NONE, -1}, first = {0, 1, PP_NONE}, bad = {PP_NONE, PP_NONE, 0};
    pp_ticket_t ticket;
    uint64_t version, later;
    int64_t sum;
    size_t len, index;
    int compared = 0;
    bool yes;
    items[0] = pp_int(1);
    items[1] = pp_int(2);
    items[2] = pp_int(3);
    OK(pp_list_open(fabric, "list", PP_CREATE, &list, &error));
    EXPECT(PP_INVALID_ARGUMENT, NULL, pp_list_get(list, 0, &message, &error));
    OK(pp_list_extend(list, items, 3, &error));
    OK(pp_list_append(list, pp_text("last"), &error));
    OK(pp_list_insert(list, 0, pp_int(0), &error));
    OK(pp_list_len(list, &len, &error));
    CHECK(len == 5);
    OK(pp_list_pop(list, &message, &error));
    pp_message_free(message);
    OK(pp_list_get(list, -1, &message, &error));
    CHECK(take_int(message) == 3);
    OK(pp_list_get_slice(list, slice, &messages, &error));
    CHECK(pp_messages_len(messages) == 4 && int_of(pp_messages_get(messages, 3)) == 0);
    pp_messages_free(messages);
    BAD("step", pp_list_get_slice(list, bad, &messages, &error));
    OK(pp_list_set_slice(list, first, items, 3, &error)); /* 1 2 3 1 2 3 */
    OK(pp_list_count(list, pp_int(1), &len, &error));
    CHECK(len == 2);
    OK(pp_list_index_of(list, pp_int(1), 1, PP_NONE, &index, &error));
    CHECK(index == 3);
    EXPECT(PP_NOT_FOUND, NULL, pp_list_index_of(list, pp_int(9), PP_NONE, PP_NONE, &index, &error));
    OK(pp_list_contains(list, pp_int(3), &yes, &error));
    CHECK(yes);
    OK(pp_list_remove(list, pp_int(1), &error)); /* 2 3 1 2 3 */
    EXPECT(PP_NOT_FOUND, NULL, pp_list_remove(list, pp_int(9), &error));
    OK(pp_list_delete_slice(list, first, &error)); /* 3 1 2 3 */
    OK(pp_list_delete(list, 0, &error));
    OK(pp_list_pop_at(list, 1, &message, &error)); /* 1 3 */
    CHECK(take_int(message) == 2);
    OK(pp_list_repeat(list, 2, &error));
    OK(pp_list_sort(list, descending, &compared, &error));
    BAD("compare", pp_list_sort(list, NULL, NULL, &error));
    OK(pp_list_get(list, 0, &message, &error));
    CHECK(take_int(message) == 3 && compared > 0);
    OK(pp_list_reverse(list, &error)); /* 1 1 3 3 */
    OK(pp_list_set(list, 0, pp_int(5), &error));
    OK(pp_list_get_with_version(list, 0, &message, &version, &error));
    CHECK(take_int(message) == 5);
    OK(pp_list_set_at_version(list, 0, version, pp_int(6), &yes, &error));
    CHECK(yes);
    OK(pp_list_set_at_version(list, 0, version, pp_int(7), &yes, &error));
    CHECK(!yes);
    OK(pp_list_wait_change(list, version, PP_FOREVER, &later, &error));
    OK(pp_list_version(list, &version, &error));
    CHECK(version == later);
    OK(pp_list_compare_and_set(list, 0, pp_int(6), pp_int(8), &yes, &error));
    CHECK(yes);
    OK(pp_list_increment(list, 0, -1, &sum, &error));
    CHECK(sum == 7);
    OK(pp_list_iterate(list, &entries, &error));
    OK(pp_entries_next(entries, &message, NULL, &error));
    CHECK(take_int(message) == 7);
    pp_entries_free(entries);
    OK(pp_list_clear(list, &error));
    EXPECT(PP_INVALID_ARGUMENT, NULL, pp_list_pop(list, &message, &error));
    OK(pp_list_ticket(list, false, &ticket, &error));
    OK(pp_list_from_ticket(&ticket, &same, &error));
    OK(pp_list_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_list_append(list, pp_nil(), &error));
    pp_list_free(same);
    pp_list_free(list);
}

int main(void)
{
    fabric = check_fabric();
    dicts();
    sets();
    namespaces();
    lists();
    pp_fabric_free(fabric);
    return 0;
}
