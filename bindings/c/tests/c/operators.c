/* The operators of sets, sums and products of lists: what goes through many elements at once. */
#include "check.h"

static pp_fabric_t *fabric;

/* Whether these are the integers, in this order; frees them. */
static int are(pp_messages_t *messages, const int64_t *numbers, size_t count)
{
    int good = pp_messages_len(messages) == count;
    for (size_t i = 0; good && i < count; i++) {
        int64_t number = 0;
        good = pp_message_int(pp_messages_get(messages, i), &number, NULL) == PP_OK && number == numbers[i];
    }
    pp_messages_free(messages);
    return good;
}

static pp_set_t *set_of(int64_t from, int64_t to)
{
    pp_set_t *set = NULL;
    OK(pp_set_open(fabric, NULL, PP_CREATE, &set, &error));
    for (; from < to; from++) {
        OK(pp_set_add(set, pp_int(from), NULL, &error));
    }
    return set;
}

/* A set is exactly these. */
static int is(pp_set_t *set, const int64_t *numbers, size_t count)
{
    pp_messages_t *messages = NULL;
    OK(pp_set_snapshot(set, &messages, &error));
    return are(messages, numbers, count);
}

static void answers(void)
{
    static const int64_t all[] = {1, 2, 3, 4, 5}, both[] = {3}, own[] = {1, 2}, either[] = {1, 2, 4, 5};
    pp_set_t *a = set_of(1, 4), *b = set_of(3, 6);
    pp_messages_t *messages = NULL;
    pp_datum_t items[4];
    pp_elements_t twice = pp_elements_of(b);
    bool yes = false;
    items[0] = pp_int(3);
    items[1] = pp_int(4);
    items[2] = pp_int(5);
    items[3] = pp_float(4.0); /* the same as 4 */
    OK(pp_set_union(a, pp_elements(items, 4), &messages, &error));
    CHECK(are(messages, all, 5));
    OK(pp_set_union(a, pp_elements_of(b), &messages, &error));
    CHECK(are(messages, all, 5));
    OK(pp_set_union(a, pp_elements(NULL, 0), &messages, &error));
    CHECK(are(messages, all, 3));
    OK(pp_set_intersection(a, pp_elements_of(b), &messages, &error));
    CHECK(are(messages, both, 1));
    OK(pp_set_difference(a, pp_elements(items, 4), &messages, &error));
    CHECK(are(messages, own, 2));
    OK(pp_set_symmetric_difference(a, pp_elements_of(b), &messages, &error));
    CHECK(are(messages, either, 4));

    OK(pp_set_is_subset(a, pp_elements_of(b), &yes, &error));
    CHECK(!yes);
    OK(pp_set_is_subset(a, pp_elements_of(a), &yes, &error));
    CHECK(yes);
    OK(pp_set_is_superset(b, pp_elements(items, 4), &yes, &error));
    CHECK(yes);
    OK(pp_set_is_superset(a, pp_elements(items, 4), &yes, &error));
    CHECK(!yes);
    OK(pp_set_is_disjoint(a, pp_elements(items + 1, 3), &yes, &error));
    CHECK(yes);
    OK(pp_set_is_disjoint(a, pp_elements_of(b), &yes, &error));
    CHECK(!yes);

    BAD("elements.items", pp_set_union(a, pp_elements(NULL, 2), &messages, &error));
    twice.items = items;
    twice.count = 1;
    BAD("one of both", pp_set_union(a, twice, &messages, &error));
    BAD("messages", pp_set_union(a, pp_elements_of(b), NULL, &error));
    BAD("answer", pp_set_is_subset(a, pp_elements_of(b), NULL, &error));
    items[0] = pp_encoded("\x80", 1, PP_CODEC_VALUE);
    BAD("map", pp_set_difference(a, pp_elements(items, 1), &messages, &error));
    OK(pp_set_destroy(b, &error));
    EXPECT(PP_GONE, NULL, pp_set_intersection(a, pp_elements_of(b), &messages, &error));
    EXPECT(PP_GONE, NULL, pp_set_is_subset(b, pp_elements_of(a), &yes, &error));
    pp_set_free(b);
    pp_set_free(a);
}

static void in_place(void)
{
    static const int64_t all[] = {1, 2, 3, 4, 5}, some[] = {3, 4, 5}, rest[] = {4, 5}, last[] = {5, 1, 2, 3};
    pp_set_t *a = set_of(1, 4), *b = set_of(3, 6), *c = set_of(1, 5);
    pp_datum_t three = pp_int(3);
    OK(pp_set_update(a, pp_elements_of(b), &error));
    CHECK(is(a, all, 5));
    OK(pp_set_intersection_update(a, pp_elements_of(b), &error));
    CHECK(is(a, some, 3));
    OK(pp_set_difference_update(a, pp_elements(&three, 1), &error));
    CHECK(is(a, rest, 2));
    OK(pp_set_symmetric_difference_update(a, pp_elements_of(c), &error));
    CHECK(is(a, last, 4));
    OK(pp_set_difference_update(a, pp_elements_of(a), &error));
    CHECK(is(a, NULL, 0));
    BAD("elements.items", pp_set_update(a, pp_elements(NULL, 1), &error));
    BAD("set", pp_set_update(NULL, pp_elements_of(b), &error));
    pp_set_free(c);
    pp_set_free(b);
    pp_set_free(a);
}

static void lists(void)
{
    static const int64_t sum[] = {1, 2, 7, 8}, product[] = {1, 2, 1, 2, 1, 2};
    pp_list_t *list = NULL;
    pp_messages_t *messages = NULL;
    pp_datum_t items[2];
    size_t len = 0;
    OK(pp_list_open(fabric, NULL, PP_CREATE, &list, &error));
    items[0] = pp_int(1);
    items[1] = pp_int(2);
    OK(pp_list_extend(list, items, 2, &error));
    items[0] = pp_int(7);
    items[1] = pp_int(8);
    OK(pp_list_plus(list, items, 2, &messages, &error));
    CHECK(are(messages, sum, 4));
    OK(pp_list_plus(list, NULL, 0, &messages, &error));
    CHECK(are(messages, sum, 2));
    OK(pp_list_times(list, 3, &messages, &error));
    CHECK(are(messages, product, 6));
    OK(pp_list_times(list, 0, &messages, &error));
    CHECK(are(messages, NULL, 0));
    EXPECT(PP_TOO_LARGE, NULL, pp_list_times(list, SIZE_MAX / 2, &messages, &error));
    OK(pp_list_len(list, &len, &error));
    CHECK(len == 2);
    BAD("items", pp_list_plus(list, NULL, 1, &messages, &error));
    BAD("messages", pp_list_times(list, 1, NULL, &error));
    OK(pp_list_destroy(list, &error));
    EXPECT(PP_GONE, NULL, pp_list_plus(list, items, 2, &messages, &error));
    EXPECT(PP_GONE, NULL, pp_list_times(list, 2, &messages, &error));
    pp_list_free(list);
}

int main(void)
{
    fabric = check_fabric();
    answers();
    in_place();
    lists();
    pp_fabric_free(fabric);
    return 0;
}
