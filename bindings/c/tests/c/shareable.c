/* ShareableList: every function. */
#include "check.h"

static void cells(void)
{
    pp_shareable_t *list = NULL, *same = NULL, *other = NULL;
    pp_message_t *message = NULL;
    pp_datum_t items[6];
    char name[300];
    const char *text;
    const void *bytes;
    size_t size = 0;
    int64_t number = 0;
    double real = 0;
    bool yes = false;
    items[0] = pp_text("polyproc");
    items[1] = pp_int(-7);
    items[2] = pp_float(2.5);
    items[3] = pp_bool(true);
    items[4] = pp_nil();
    items[5] = pp_raw("a\0b", 3);
    OK(pp_shareable_create(NULL, items, 6, 16, &list, &error));
    OK(pp_shareable_name(list, name, sizeof name, &error));
    EXPECT(PP_TOO_LARGE, NULL, pp_shareable_name(list, name, 1, &error));
    OK(pp_shareable_name(list, name, sizeof name, &error));
    EXPECT(PP_ALREADY_EXISTS, NULL, pp_shareable_create(name, items, 6, 0, &other, &error));
    OK(pp_shareable_attach(name, false, &same, &error));
    OK(pp_shareable_attach(name, true, &other, &error));
    OK(pp_shareable_len(same, &size, &error));
    CHECK(size == 6);
    OK(pp_shareable_capacity(same, 1, &size, &error));
    CHECK(size >= 16);
    BAD(NULL, pp_shareable_capacity(same, 6, &size, &error));

    OK(pp_shareable_get(same, 0, &message, &error));
    OK(pp_message_text(message, &text, &size, &error));
    CHECK(size == 8 && memcmp(text, "polyproc", 8) == 0);
    pp_message_free(message);
    OK(pp_shareable_get(same, 1, &message, &error));
    OK(pp_message_int(message, &number, &error));
    CHECK(number == -7);
    pp_message_free(message);
    OK(pp_shareable_get(same, 2, &message, &error));
    OK(pp_message_float(message, &real, &error));
    CHECK(real == 2.5);
    pp_message_free(message);
    OK(pp_shareable_get(same, 3, &message, &error));
    OK(pp_message_bool(message, &yes, &error));
    CHECK(yes);
    pp_message_free(message);
    OK(pp_shareable_get(same, 5, &message, &error));
    {
        size_t at = 0;
        const void *value;
        OK(pp_message_value(message, &value, &size, &error));
        OK(pp_read_bytes(value, size, &at, &bytes, &size, &error));
        CHECK(size == 3 && memcmp(bytes, "a\0b", 3) == 0);
    }
    pp_message_free(message);
    BAD(NULL, pp_shareable_get(same, 6, &message, &error));

    OK(pp_shareable_set(same, 4, pp_text("now a text"), &error));
    OK(pp_shareable_get(other, 4, &message, &error));
    OK(pp_message_text(message, &text, &size, &error));
    CHECK(size == 10);
    pp_message_free(message);
    EXPECT(PP_TOO_LARGE, "has room for", pp_shareable_set(same, 4, pp_text("a text that is much longer than the room of a cell"), &error));
    BAD("read only", pp_shareable_set(other, 4, pp_nil(), &error));
    BAD(NULL, pp_shareable_set(same, 6, pp_nil(), &error));
    EXPECT(PP_WRONG_TYPE, "a list", pp_shareable_set(same, 4, pp_encoded("\x90", 1, PP_CODEC_VALUE), &error));
    EXPECT(PP_WRONG_TYPE, "18446744073709551615", pp_shareable_set(same, 4, pp_uint(UINT64_MAX), &error));
    EXPECT(PP_WRONG_TYPE, "codec", pp_shareable_set(same, 4, pp_encoded("x", 1, 77), &error));
    EXPECT(PP_DECODE, NULL, pp_shareable_set(same, 4, pp_encoded("\xc0\xc0", 2, PP_CODEC_VALUE), &error));
    EXPECT(PP_DECODE, NULL, pp_shareable_set(same, 4, pp_encoded("", 0, PP_CODEC_VALUE), &error));

    OK(pp_shareable_index_of(same, pp_int(-7), &size, &error));
    CHECK(size == 1);
    EXPECT(PP_NOT_FOUND, NULL, pp_shareable_index_of(same, pp_int(8), &size, &error));
    OK(pp_shareable_count(same, pp_bool(true), &size, &error));
    CHECK(size == 1);
    OK(pp_shareable_unlink(same, &error));
    EXPECT(PP_NOT_FOUND, NULL, pp_shareable_unlink(list, &error));
    pp_shareable_free(other);
    pp_shareable_free(same);
    pp_shareable_free(list);
    EXPECT(PP_NOT_FOUND, NULL, pp_shareable_attach(name, false, &list, &error));
}

static void strangers(void)
{
    pp_shareable_t *list = NULL;
    pp_shm_t *block = NULL;
    char name[300];
    pp_datum_t bad = pp_encoded("\x90", 1, PP_CODEC_VALUE);
    EXPECT(PP_WRONG_TYPE, "items", pp_shareable_create(NULL, &bad, 1, 0, &list, &error));
    BAD("items", pp_shareable_create(NULL, NULL, 1, 0, &list, &error));
    CHECK(list == NULL);
    OK(pp_shm_create(NULL, 4096, &block, &error));
    OK(pp_shm_name(block, name, sizeof name, &error));
    EXPECT(PP_WRONG_TYPE, NULL, pp_shareable_attach(name, false, &list, &error));
    OK(pp_shm_unlink(block, &error));
    pp_shm_free(block);
    OK(pp_shareable_create(NULL, NULL, 0, 0, &list, &error));
    OK(pp_shareable_unlink(list, &error));
    pp_shareable_free(list);
}

int main(void)
{
    cells();
    strangers();
    return 0;
}
