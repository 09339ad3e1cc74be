/* Blocks: columns of plain values in messages, arguments and results. */
#include "check.h"

static pp_fabric_t *fabric;

enum { COUNT = 5000 }; /* enough to lie beside a value, where another language sends it */

static double column[COUNT];

/* A value with a column in it: ["prices", block]. */
static pp_writer_t *named_column(void)
{
    pp_writer_t *writer = NULL;
    OK(pp_writer_new(&writer, &error));
    OK(pp_writer_list(writer, 2, &error));
    OK(pp_writer_text(writer, "prices", 6, &error));
    OK(pp_writer_block(writer, 'd', 0, column, COUNT, &error));
    return writer;
}

static void is_the_column(const pp_block_t *block)
{
    double last = 0;
    CHECK(block->code == 'd' && block->count == COUNT && block->value_size == 8);
    memcpy(&last, (const char *)block->data + (COUNT - 1) * 8, 8);
    CHECK(last == COUNT - 1);
}

static void queues(void)
{
    pp_queue_t *queue = NULL;
    pp_writer_t *writer = named_column();
    pp_datum_t datum;
    pp_message_t *message = NULL;
    pp_block_t block;
    pp_item_t item;
    const void *value;
    size_t len, at = 0;
    OK(pp_queue_open(fabric, NULL, PP_CREATE, NULL, &queue, &error));
    OK(pp_writer_datum(writer, &datum, &error));
    OK(pp_queue_put(queue, datum, PP_FOREVER, &error));
    pp_writer_free(writer);
    OK(pp_queue_get(queue, PP_FOREVER, &message, &error));
    OK(pp_message_value(message, &value, &len, &error));
    OK(pp_read_next(value, len, &at, &item, &error));
    EXPECT(PP_WRONG_TYPE, "no block", pp_message_block(message, &item, &block, &error));
    OK(pp_read_next(value, len, &at, &item, &error));
    EXPECT(PP_WRONG_TYPE, NULL, pp_message_block(message, &item, &block, &error));
    OK(pp_read_next(value, len, &at, &item, &error));
    CHECK(item.kind == PP_TYPE_EXTENSION && item.extension == PP_EXTENSION_BLOCK);
    OK(pp_message_block(message, &item, &block, &error));
    is_the_column(&block);
    BAD("message", pp_message_block(NULL, &item, &block, &error));
    BAD("item", pp_message_block(message, NULL, &block, &error));
    BAD("block", pp_message_block(message, &item, NULL, &error));
    item.len = 3;
    EXPECT(PP_DECODE, "cut short", pp_message_block(message, &item, &block, &error));
    item.len = 9; /* 4 of a head and half a value */
    EXPECT(PP_DECODE, NULL, pp_message_block(message, &item, &block, &error));
    item.data = "\1d\10\0\0\0\0"; /* beside a value, in no such message */
    item.len = 8;
    EXPECT(PP_DECODE, "outside", pp_message_block(message, &item, &block, &error));
    item.data = NULL;
    BAD("item.data", pp_message_block(message, &item, &block, &error));
    pp_message_free(message);
    pp_queue_free(queue);
}

/* As a Rust program sends it: the values first, then the value that names them, then the table. */
static void beside(void)
{
    static const unsigned char body[] = {0xd7, 8, 1, 'd', 8, 0, 0, 0, 0, 0};
    size_t bytes = COUNT * 8, len = bytes + sizeof body + 16 + 16, at = 0;
    unsigned char *parcel = (unsigned char *)calloc(1, len), *end = parcel + bytes + sizeof body;
    uint64_t words[4];
    pp_queue_t *queue = NULL;
    pp_message_t *message = NULL;
    pp_block_t block;
    pp_item_t item;
    const void *value;
    CHECK(parcel != NULL && bytes % 64 == 0);
    memcpy(parcel, column, bytes);
    memcpy(parcel + bytes, body, sizeof body);
    words[0] = 0;
    words[1] = bytes;
    words[2] = bytes;
    words[3] = 1;
    memcpy(end, words, sizeof words);
    OK(pp_queue_open(fabric, NULL, PP_CREATE, NULL, &queue, &error));
    OK(pp_queue_put(queue, pp_encoded(parcel, len, PP_CODEC_VALUE | 0x80), PP_FOREVER, &error));
    free(parcel);
    OK(pp_queue_get(queue, PP_FOREVER, &message, &error));
    OK(pp_message_value(message, &value, &len, &error));
    CHECK(len == sizeof body);
    OK(pp_read_next(value, len, &at, &item, &error));
    OK(pp_message_block(message, &item, &block, &error));
    CHECK(block.aligned);
    is_the_column(&block);
    CHECK(((const double *)block.data)[7] == 7);
    pp_message_free(message);
    pp_queue_free(queue);
}

static void writers(void)
{
    static const struct {
        char name[3];
    } structures[2] = {{"ab"}, {"cd"}};
    pp_writer_t *writer = NULL;
    const void *data;
    size_t len, at = 0;
    pp_item_t item;
    OK(pp_writer_new(&writer, &error));
    BAD("code", pp_writer_block(writer, '?', 0, column, 1, &error));
    BAD("code", pp_writer_block(writer, 0, 0, column, 1, &error));
    BAD("value_size", pp_writer_block(writer, 'd', 4, column, 1, &error));
    BAD("value_size", pp_writer_block(writer, 'S', 0, column, 1, &error));
    BAD("data", pp_writer_block(writer, 'd', 0, NULL, 1, &error));
    BAD("count", pp_writer_block(writer, 'd', 0, column, SIZE_MAX / 4, &error));
    BAD("writer", pp_writer_block(NULL, 'd', 0, column, 1, &error));
    EXPECT(PP_TOO_LARGE, NULL, pp_writer_block(writer, 'S', 70000, NULL, 0, &error));
    OK(pp_writer_block(writer, 'S', sizeof structures[0], structures, 2, &error));
    EXPECT(PP_ENCODE, "whole", pp_writer_block(writer, 'd', 0, column, 1, &error));
    OK(pp_writer_data(writer, &data, &len, &error));
    OK(pp_read_next(data, len, &at, &item, &error));
    CHECK(at == len && item.extension == PP_EXTENSION_BLOCK && item.len == 4 + 6);
    OK(pp_writer_clear(writer, &error));
    OK(pp_writer_block(writer, 'i', 4, NULL, 0, &error));
    pp_writer_free(writer);
}

/* Sums a column up, and hands it back: [sum, column]. */
static int32_t sum_up(void *context, const pp_call_t *call, const void *arguments, size_t len, pp_writer_t *result)
{
    pp_block_t block;
    pp_item_t item;
    size_t at = 0, start;
    uint64_t count;
    double sum = 0;
    (void)context;
    OK(pp_read_list(arguments, len, &at, &count, &error));
    start = at;
    if (count != 1 || pp_read_next(arguments, len, &at, &item, NULL) || pp_call_block(call, &item, &block, NULL)) {
        return pp_call_bad_arguments(call, "one column");
    }
    BAD("call", pp_call_block(NULL, &item, &block, &error));
    BAD("block", pp_call_block(call, &item, NULL, &error));
    for (size_t i = 0; i < block.count; i++) {
        double value;
        memcpy(&value, (const char *)block.data + i * 8, 8);
        sum += value;
    }
    OK(pp_writer_list(result, 2, &error));
    OK(pp_writer_float(result, sum, &error));
    OK(pp_writer_value(result, (const char *)arguments + start, at - start, &error));
    return PP_OK;
}

static void calls(void)
{
    pp_pool_options_t options = PP_POOL_OPTIONS_INIT;
    pp_pool_t *pool = NULL;
    pp_future_t *future = NULL;
    pp_writer_t *writer = NULL;
    pp_message_t *result = NULL;
    pp_datum_t datum, wrong = pp_int(5);
    pp_block_t block;
    pp_item_t item;
    const void *value;
    size_t len, at = 0;
    uint64_t count;
    double sum;
    options.workers = 1;
    OK(pp_pool_create(&options, &pool, &error));
    OK(pp_writer_new(&writer, &error));
    OK(pp_writer_block(writer, 'd', 0, column, COUNT, &error));
    OK(pp_writer_datum(writer, &datum, &error));
    OK(pp_pool_submit(pool, "sum_up", &datum, 1, NULL, &future, &error));
    pp_writer_free(writer);
    OK(pp_future_result(future, 0, PP_FOREVER, &result, &error));
    OK(pp_message_value(result, &value, &len, &error));
    OK(pp_read_list(value, len, &at, &count, &error));
    OK(pp_read_float(value, len, &at, &sum, &error));
    CHECK(sum == (double)COUNT * (COUNT - 1) / 2);
    OK(pp_read_next(value, len, &at, &item, &error));
    OK(pp_message_block(result, &item, &block, &error));
    is_the_column(&block);
    pp_message_free(result);
    pp_future_free(future);
    OK(pp_pool_submit(pool, "sum_up", &wrong, 1, NULL, &future, &error));
    EXPECT(PP_BAD_ARGUMENTS, "column", pp_future_result(future, 0, PP_FOREVER, &result, &error));
    pp_future_free(future);
    pp_pool_free(pool);
}

int main(void)
{
    OK(pp_task_offer("sum_up", sum_up, NULL, &error));
    OK(pp_main(&error));
    for (int i = 0; i < COUNT; i++) {
        column[i] = i;
    }
    fabric = check_fabric();
    queues();
    beside();
    writers();
    calls();
    pp_fabric_free(fabric);
    return 0;
}
