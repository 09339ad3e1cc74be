/* Values: written and read item by item, what other languages would see, and what is refused. */
#include "check.h"

static void a_value_comes_back(void)
{
    pp_fabric_t *fabric = check_fabric();
    pp_queue_t *queue;
    pp_lock_t *lock, *same;
    pp_writer_t *writer;
    pp_message_t *message;
    pp_datum_t datum;
    pp_ticket_t ticket;
    pp_item_t item;
    const void *data, *bytes;
    const char *text;
    size_t len, at = 0, size, before;
    uint64_t count, natural;
    int64_t integer;
    double number;
    bool truth;
    OK(pp_queue_open(fabric, NULL, PP_CREATE, NULL, &queue, &error));
    OK(pp_lock_open(fabric, NULL, PP_CREATE, &lock, &error));
    OK(pp_lock_ticket(lock, false, &ticket, &error));

    OK(pp_writer_new(&writer, &error));
    EXPECT(PP_ENCODE, "nothing", pp_writer_data(writer, &data, &len, &error));
    OK(pp_writer_list(writer, 12, &error));
    OK(pp_writer_nil(writer, &error));
    OK(pp_writer_bool(writer, true, &error));
    OK(pp_writer_int(writer, INT64_MIN, &error));
    OK(pp_writer_uint(writer, UINT64_MAX, &error));
    OK(pp_writer_float(writer, 0.1, &error));
    OK(pp_writer_float32(writer, 0.5f, &error));
    OK(pp_writer_text(writer, "h\xc3\xa9", 3, &error));
    BAD("UTF-8", pp_writer_text(writer, "\xff", 1, &error));
    OK(pp_writer_bytes(writer, "\0\1", 2, &error));
    OK(pp_writer_map(writer, 1, &error));
    OK(pp_writer_text(writer, "key", 3, &error));
    EXPECT(PP_ENCODE, "not whole", pp_writer_datum(writer, &datum, &error));
    OK(pp_writer_list(writer, 0, &error));
    OK(pp_writer_ticket(writer, &ticket, &error));
    OK(pp_writer_extension(writer, 77, "1234", 4, &error));
    BAD("kind", pp_writer_extension(writer, 200, "1234", 4, &error));
    EXPECT(PP_DECODE, NULL, pp_writer_value(writer, "\x92\x01", 2, &error));
    BAD("data", pp_writer_value(writer, "\x01\x02", 2, &error));
    OK(pp_writer_value(writer, "\x92\x01\x02", 3, &error));
    EXPECT(PP_ENCODE, "whole", pp_writer_nil(writer, &error));
    OK(pp_writer_datum(writer, &datum, &error));
    OK(pp_queue_put(queue, datum, PP_FOREVER, &error));
    OK(pp_writer_data(writer, &data, &len, &error));
    CHECK(((const unsigned char *)data)[0] == 0x9c);
    OK(pp_writer_clear(writer, &error));
    OK(pp_writer_int(writer, 1, &error));
    pp_writer_free(writer);
    pp_writer_free(NULL);

    OK(pp_queue_get(queue, PP_FOREVER, &message, &error));
    EXPECT(PP_WRONG_TYPE, "list of 12", pp_message_int(message, &integer, &error));
    OK(pp_message_value(message, &data, &len, &error));
    EXPECT(PP_WRONG_TYPE, "list", pp_read_int(data, len, &at, &integer, &error));
    CHECK(at == 0);
    OK(pp_read_list(data, len, &at, &count, &error));
    CHECK(count == 12);
    EXPECT(PP_WRONG_TYPE, "nil", pp_read_text(data, len, &at, &text, &size, &error));
    OK(pp_read_nil(data, len, &at, &error));
    EXPECT(PP_WRONG_TYPE, "bool", pp_read_nil(data, len, &at, &error));
    OK(pp_read_bool(data, len, &at, &truth, &error));
    CHECK(truth);
    EXPECT(PP_WRONG_TYPE, "-9223372036854775808", pp_read_uint(data, len, &at, &natural, &error));
    OK(pp_read_int(data, len, &at, &integer, &error));
    CHECK(integer == INT64_MIN);
    EXPECT(PP_WRONG_TYPE, "18446744073709551615", pp_read_int(data, len, &at, &integer, &error));
    OK(pp_read_uint(data, len, &at, &natural, &error));
    CHECK(natural == UINT64_MAX);
    OK(pp_read_float(data, len, &at, &number, &error));
    CHECK(number == 0.1);
    before = at;
    OK(pp_read_next(data, len, &at, &item, &error));
    CHECK(item.kind == PP_TYPE_FLOAT && item.number == 0.5 && item.len == 4);
    at = before;
    OK(pp_read_float(data, len, &at, &number, &error));
    CHECK(number == 0.5);
    OK(pp_read_text(data, len, &at, &text, &size, &error));
    CHECK(size == 3 && memcmp(text, "h\xc3\xa9", 3) == 0);
    OK(pp_read_bytes(data, len, &at, &bytes, &size, &error));
    CHECK(size == 2 && memcmp(bytes, "\0\1", 2) == 0);
    OK(pp_read_map(data, len, &at, &count, &error));
    CHECK(count == 1);
    OK(pp_read_next(data, len, &at, &item, &error));
    CHECK(item.kind == PP_TYPE_TEXT && item.len == 3 && memcmp(item.data, "key", 3) == 0);
    OK(pp_read_skip(data, len, &at, &error));
    OK(pp_read_ticket(data, len, &at, &ticket, &error));
    OK(pp_lock_from_ticket(&ticket, &same, &error));
    OK(pp_lock_acquire(same, 0, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_lock_acquire(lock, 0, &error));
    OK(pp_read_next(data, len, &at, &item, &error));
    CHECK(item.kind == PP_TYPE_EXTENSION && item.extension == 77 && item.len == 4);
    EXPECT(PP_WRONG_TYPE, "object", pp_read_ticket(data, len, &at, &ticket, &error));
    OK(pp_read_skip(data, len, &at, &error));
    CHECK(at == len);
    EXPECT(PP_EMPTY, NULL, pp_read_skip(data, len, &at, &error));
    EXPECT(PP_EMPTY, NULL, pp_read_next(data, len, &at, &item, &error));
    pp_message_free(message);
    pp_lock_free(same);
    pp_lock_free(lock);

    OK(pp_queue_put(queue, pp_raw("raw", 3), 0, &error));
    OK(pp_queue_get(queue, 0, &message, &error));
    EXPECT(PP_DECODE, "no value", pp_message_value(message, &data, &len, &error));
    EXPECT(PP_DECODE, "raw", pp_message_bool(message, &truth, &error));
    pp_message_free(message);
    pp_queue_free(queue);
    pp_fabric_free(fabric);
}

static void damaged_bytes_are_refused(void)
{
    static const char *const damaged[] = {"\xc1", "\xdd\xff\xff\xff\xff", "\xa5x", "\xc6\xff\xff\xff\xff", "\x92\x01"};
    static const size_t lengths[] = {1, 5, 2, 5, 2};
    pp_item_t item;
    size_t i, at;
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        at = 0;
        EXPECT(PP_DECODE, NULL, pp_read_skip(damaged[i], lengths[i], &at, &error));
        CHECK(at == 0);
    }
    at = 0;
    EXPECT(PP_DECODE, NULL, pp_read_next(damaged[1], lengths[1], &at, &item, &error));
    at = 1000; /* behind the end is the end */
    EXPECT(PP_EMPTY, NULL, pp_read_next("\x01", 1, &at, &item, &error));
}

static void errors_without_an_error(void)
{
    CHECK(pp_error_kind(NULL) == PP_OK && strcmp(pp_error_message(NULL), "") == 0 && pp_error_os(NULL) == 0);
    CHECK(pp_error_cause(NULL) == NULL && pp_error_task(NULL) == NULL && pp_error_remote_message(NULL) == NULL);
    CHECK(pp_error_remote_backtrace(NULL) == NULL && pp_error_stderr(NULL) == NULL && pp_error_call(NULL) == -1 && pp_error_attempt(NULL) == 0);
    CHECK(pp_error_pid(NULL) == 0 && pp_error_signal(NULL) == 0 && pp_error_exit_code(NULL) == -1);
    CHECK(pp_error_resident(NULL) == 0 && pp_error_out_of_memory(NULL) == -1);
    pp_error_free(NULL);
    {
        pp_error_t *error = NULL;
        pp_shm_t *shm;
        CHECK(pp_shm_attach("no-such-block-of-polyproc", false, &shm, &error) == PP_NOT_FOUND);
        CHECK(pp_error_cause(error) == NULL && pp_error_task(error) == NULL && pp_error_pid(error) == 0);
        pp_error_free(error);
    }
}

int main(void)
{
    pp_fabric_t *fabric;
    CHECK(pp_abi_version() == PP_ABI);
    CHECK(strcmp(pp_version(), PP_VERSION) == 0 && PP_VERSION_MAJOR + PP_VERSION_MINOR + PP_VERSION_PATCH > 0);
    CHECK(strcmp(pp_status_name(PP_OWNER_DIED), "OWNER_DIED") == 0 && strcmp(pp_status_name(-5), "UNKNOWN") == 0);
    EXPECT(PP_FOREIGN_VERSION, "ABI 9999", pp_fabric_open_abi(9999, NULL, PP_CREATE, NULL, &fabric, &error));
    a_value_comes_back();
    damaged_bytes_are_refused();
    errors_without_an_error();
    return 0;
}
