/* Queue: putting and getting, leases, loans, dead letters, joined work. */
#include "check.h"

static pp_fabric_t *fabric;

typedef struct {
    int32_t number;
    double share;
} job_t;

static bool is_text(const pp_message_t *message, const char *expected)
{
    const char *text = NULL;
    size_t len = 0;
    OK(pp_message_text(message, &text, &len, &error));
    return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

static void put_and_get(void)
{
    pp_queue_options_t options = PP_QUEUE_OPTIONS_INIT;
    pp_queue_t *queue, *same;
    pp_message_t *message = NULL;
    pp_messages_t *messages;
    pp_datum_t data[3];
    pp_pollable_t *pollable;
    pp_ticket_t ticket;
    job_t job = {7, 0.5}, got = {0, 0};
    size_t len = 0, done = 0;
    int64_t integer;
    uint64_t natural;
    double number;
    bool truth;
    options.capacity = 3;
    options.lanes = 2;
    OK(pp_queue_open(fabric, "queue", PP_CREATE, &options, &queue, &error));
    options.size = 3;
    BAD("options.size", pp_queue_open(fabric, NULL, PP_CREATE, &options, &same, &error));
    OK(pp_queue_open(fabric, "queue", PP_OPEN, NULL, &same, &error));
    pp_queue_free(same);
    EXPECT(PP_EMPTY, NULL, pp_queue_get(queue, 0, &message, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_queue_get(queue, PP_MILLISECOND, &message, &error));
    CHECK(message == NULL);
    EXPECT(PP_EMPTY, NULL, pp_queue_get_into(queue, &job, sizeof job, 0, &len, &error));
    CHECK(job.number == 7 && len == 0); /* outputs are written with PP_OK only */
    OK(pp_queue_put(queue, pp_raw(&job, sizeof job), PP_FOREVER, &error));
    OK(pp_queue_get_into(queue, &got, sizeof got, PP_FOREVER, &len, &error));
    CHECK(len == sizeof job && got.number == 7 && got.share == 0.5);
    OK(pp_queue_put(queue, pp_text("late"), 0, &error));
    OK(pp_queue_put_to(queue, 1, pp_int(-5), 0, &error));
    BAD("lane", pp_queue_put_to(queue, 2, pp_int(-5), 0, &error));
    OK(pp_queue_put(queue, pp_uint(UINT64_MAX), 0, &error));
    EXPECT(PP_FULL, NULL, pp_queue_put(queue, pp_nil(), 0, &error));
    EXPECT(PP_TIMEOUT, NULL, pp_queue_put(queue, pp_nil(), PP_MILLISECOND, &error));
    OK(pp_queue_len(queue, &len, &error));
    CHECK(len == 3);
    OK(pp_queue_pollable(queue, &pollable, &error));
    OK(pp_pollable_wait(pollable, PP_FOREVER, &error));
    pp_pollable_free(pollable);
    OK(pp_queue_get(queue, PP_FOREVER, &message, &error));
    CHECK(is_text(message, "late") && pp_message_codec(message) == PP_CODEC_VALUE && !pp_message_is_shared(message));
    EXPECT(PP_WRONG_TYPE, "text", pp_message_int(message, &integer, &error));
    pp_message_free(message);
    OK(pp_queue_get_many(queue, 10, PP_FOREVER, &messages, &error));
    CHECK(pp_messages_len(messages) == 2);
    EXPECT(PP_WRONG_TYPE, "18446744073709551615", pp_message_int(pp_messages_get(messages, 0), &integer, &error));
    OK(pp_message_uint(pp_messages_get(messages, 0), &natural, &error));
    CHECK(natural == UINT64_MAX);
    OK(pp_messages_take(messages, 1, &message, &error));
    EXPECT(PP_NOT_FOUND, NULL, pp_messages_take(messages, 1, &message, &error));
    CHECK(pp_messages_get(messages, 1) == NULL && pp_messages_get(messages, 9) == NULL);
    pp_messages_free(messages);
    OK(pp_message_int(message, &integer, &error));
    OK(pp_message_float(message, &number, &error));
    EXPECT(PP_WRONG_TYPE, NULL, pp_message_uint(message, &natural, &error));
    EXPECT(PP_WRONG_TYPE, NULL, pp_message_bool(message, &truth, &error));
    CHECK(integer == -5 && number == -5.0);
    pp_message_free(message);
    data[0] = pp_raw("one", 3);
    data[1] = pp_raw("three", 5);
    data[2] = pp_raw("", 0);
    OK(pp_queue_put_many(queue, 0, data, 3, PP_FOREVER, &done, &error));
    CHECK(done == 3);
    EXPECT(PP_TIMEOUT, NULL, pp_queue_put_many(queue, 0, data, 3, PP_MILLISECOND, &done, &error));
    CHECK(done == 0);
    data[1] = pp_nil();
    BAD("codec", pp_queue_put_many(queue, 0, data, 3, 0, &done, &error));
    OK(pp_queue_capacity(queue, &len, &error));
    CHECK(len == 3);
    {
        /* A message that does not fit is not lost. */
        pp_error_t *error = NULL;
        char tiny[2];
        const void *bytes;
        CHECK(pp_queue_get_into(queue, tiny, sizeof tiny, 0, &len, &error) == PP_TOO_LARGE);
        CHECK(pp_error_take_message(error, &message, NULL) == PP_OK);
        CHECK(pp_error_take_message(error, &message, NULL) == PP_NOT_FOUND);
        pp_error_free(error);
        bytes = pp_message_data(message, &len);
        CHECK(len == 3 && memcmp(bytes, "one", 3) == 0 && is_text(message, "one"));
        CHECK(pp_message_dead_letter(message, NULL) == 0);
        pp_message_free(message);
    }
    OK(pp_queue_close(queue, &error));
    OK(pp_queue_close(queue, &error));
    OK(pp_queue_is_closed(queue, &truth, &error));
    CHECK(truth);
    EXPECT(PP_CLOSED, NULL, pp_queue_put(queue, pp_bool(true), 0, &error));
    OK(pp_queue_get_many(queue, 10, 0, &messages, &error));
    CHECK(pp_messages_len(messages) == 2);
    pp_messages_free(messages);
    EXPECT(PP_CLOSED, NULL, pp_queue_get(queue, PP_FOREVER, &message, &error));
    OK(pp_queue_ticket(queue, false, &ticket, &error));
    OK(pp_queue_from_ticket(&ticket, &same, &error));
    OK(pp_queue_destroy(same, &error));
    EXPECT(PP_GONE, NULL, pp_queue_put(queue, pp_float(1.5), 0, &error));
    pp_queue_free(same);
    pp_queue_free(queue);
}

static void leases(void)
{
    pp_queue_options_t options = PP_QUEUE_OPTIONS_INIT;
    pp_queue_t *letters, *queue;
    pp_lease_t *lease;
    pp_lease_info_t info;
    pp_message_t *message;
    size_t count;
    uint32_t deliveries = 0;
    uint64_t me;
    OK(pp_queue_open(fabric, "letters", PP_CREATE, NULL, &letters, &error));
    options.max_deliveries = 2;
    options.dead_letters = letters;
    OK(pp_queue_open(fabric, "jobs", PP_CREATE, &options, &queue, &error));
    OK(pp_queue_put_quiet(queue, "a job", 5, &error));
    OK(pp_queue_wake(queue, &error));
    OK(pp_queue_lease(queue, 0, PP_FOREVER, &lease, &error));
    CHECK(is_text(pp_lease_message(lease), "a job") && pp_lease_deliveries(lease) == 1);
    OK(pp_lease_set_progress(lease, 42, &error));
    BAD("limit", pp_lease_extend(lease, PP_SECOND, &error));
    OK(pp_queue_leases(queue, &info, 1, &count, &error));
    OK(pp_fabric_member(fabric, &me, &error));
    CHECK(count == 1 && info.holder == me && info.progress == 42 && info.deliveries == 1);
    OK(pp_queue_leased(queue, &count, &error));
    CHECK(count == 1);
    OK(pp_lease_nack(lease, 0, &error));
    EXPECT(PP_CLOSED, NULL, pp_lease_nack(lease, 0, &error));
    EXPECT(PP_CLOSED, NULL, pp_lease_ack(lease, &error));
    CHECK(pp_lease_message(lease) == NULL && pp_lease_deliveries(lease) == 0);
    pp_lease_free(lease);
    OK(pp_queue_lease(queue, 60 * PP_SECOND, 0, &lease, &error));
    OK(pp_lease_extend(lease, 90 * PP_SECOND, &error));
    CHECK(pp_lease_deliveries(lease) == 2);
    pp_lease_free(lease); /* it goes back, and was handed out as often as it may be */
    OK(pp_queue_get(letters, 0, &message, &error));
    CHECK(pp_message_dead_letter(message, &deliveries) == 1 && deliveries == 2);
    pp_message_free(message);
    OK(pp_queue_put(queue, pp_int(1), 0, &error));
    OK(pp_queue_lease(queue, 0, 0, &lease, &error));
    OK(pp_lease_ack(lease, &error));
    pp_lease_free(lease);
    OK(pp_queue_put(queue, pp_int(2), 0, &error));
    OK(pp_queue_lease(queue, 0, 0, &lease, &error));
    OK(pp_lease_ack_keep(lease, &message, &error));
    pp_lease_free(lease);
    pp_message_free(message);
    OK(pp_queue_put(queue, pp_int(3), 0, &error));
    OK(pp_queue_lease(queue, 0, 0, &lease, &error));
    OK(pp_lease_nack(lease, 3600 * PP_SECOND, &error));
    pp_lease_free(lease);
    OK(pp_queue_delayed(queue, &count, &error));
    CHECK(count == 1);
    EXPECT(PP_TIMEOUT, NULL, pp_queue_lease(queue, 0, 0, &lease, &error));
    BAD("limit", pp_queue_lease(queue, -1, 0, &lease, &error));
    OK(pp_queue_close(letters, &error));
    OK(pp_queue_put(queue, pp_int(4), 0, &error));
    OK(pp_queue_lease(queue, 0, 0, &lease, &error));
    OK(pp_lease_bury(lease, &error));
    pp_lease_free(lease);
    OK(pp_queue_buried(queue, &count, &error));
    CHECK(count == 1);
    OK(pp_queue_get_buried(queue, &message, &error));
    CHECK(pp_message_dead_letter(message, NULL) == 4);
    pp_message_free(message);
    EXPECT(PP_EMPTY, NULL, pp_queue_get_buried(queue, &message, &error));
    {
        pp_messages_t *messages;
        uint64_t progress[1];
        BAD("lives", pp_queue_reclaim(queue, me, &messages, progress, 1, &error));
        OK(pp_queue_reclaim(queue, 0, &messages, progress, 1, &error));
        CHECK(pp_messages_len(messages) == 0);
        pp_messages_free(messages);
    }
    pp_queue_free(queue);
    pp_queue_free(letters);
}

static void loans(void)
{
    pp_queue_options_t options = PP_QUEUE_OPTIONS_INIT;
    pp_queue_t *queue;
    pp_loan_t *loan;
    pp_message_t *message;
    const char *data;
    char *place;
    size_t len;
    options.capacity = 1;
    OK(pp_queue_open(fabric, NULL, PP_CREATE, &options, &queue, &error));
    OK(pp_queue_loan(queue, 100000, &loan, &error));
    place = (char *)pp_loan_data(loan, &len);
    CHECK(place != NULL && len == 100000);
    memset(place, 'x', len);
    OK(pp_queue_put_loan(queue, 0, loan, PP_CODEC_RAW, PP_FOREVER, &error));
    CHECK(pp_loan_data(loan, NULL) == NULL);
    EXPECT(PP_CLOSED, NULL, pp_queue_put_loan(queue, 0, loan, PP_CODEC_RAW, 0, &error));
    pp_loan_free(loan);
    OK(pp_queue_loan(queue, 5, &loan, &error));
    EXPECT(PP_FULL, NULL, pp_queue_put_loan(queue, 0, loan, PP_CODEC_RAW, 0, &error));
    CHECK(pp_loan_data(loan, &len) != NULL && len == 5);
    pp_loan_free(loan);
    OK(pp_queue_get(queue, 0, &message, &error));
    data = (const char *)pp_message_data(message, &len);
    CHECK(pp_message_is_shared(message) && len == 100000 && data[0] == 'x' && data[len - 1] == 'x');
    pp_message_free(message);
    pp_queue_free(queue);
}

static void joined_work(void)
{
    pp_queue_options_t options = PP_QUEUE_OPTIONS_INIT;
    pp_queue_t *queue;
    pp_message_t *message;
    size_t count;
    options.joinable = 1;
    OK(pp_queue_open(fabric, NULL, PP_CREATE, &options, &queue, &error));
    OK(pp_queue_put(queue, pp_int(1), 0, &error));
    OK(pp_queue_unfinished(queue, &count, &error));
    CHECK(count == 1);
    EXPECT(PP_TIMEOUT, NULL, pp_queue_join(queue, PP_MILLISECOND, &error));
    EXPECT(PP_NOT_HELD, NULL, pp_queue_task_done(queue, &error));
    OK(pp_queue_get(queue, 0, &message, &error));
    pp_message_free(message);
    OK(pp_queue_task_done(queue, &error));
    OK(pp_queue_join(queue, PP_FOREVER, &error));
    OK(pp_queue_lost(queue, &count, &error));
    CHECK(count == 0);
    pp_queue_free(queue);
}

int main(void)
{
    pp_report_t report;
    fabric = check_fabric();
    put_and_get();
    leases();
    loans();
    joined_work();
    OK(pp_fabric_check(fabric, &report, &error));
    pp_fabric_free(fabric);
    return 0;
}
