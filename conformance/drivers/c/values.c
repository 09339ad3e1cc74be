/* Values, read from lines and written into answers, by pp_writer and pp_read. */
#include "values.h"

#include "bigint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Extension types of docs/format.md. */
enum { TUPLE = 1, SET = 2, FROZEN_SET = 3, BIG_INTEGER = 4, COMPLEX = 5, TICKET = 6 };

/* Longer byte strings are not written out. */
enum { MOST_BYTES = 4096 };

static const struct {
    const char *name;
    int32_t extension;
} LISTS[] = {{"tuple", TUPLE}, {"set", SET}, {"frozenset", FROZEN_SET}};

static bool encode(pp_writer_t *writer, const json_t *json, ticket_finder_t tickets);

static bool encode_list(pp_writer_t *writer, const json_t *list, ticket_finder_t tickets)
{
    if (list->type != JSON_LIST || pp_writer_list(writer, list->len, NULL)) {
        return false;
    }
    for (const json_t *item = list->first; item != NULL; item = item->next) {
        if (!encode(writer, item, tickets)) {
            return false;
        }
    }
    return true;
}

/* A value of an extension type around a list. */
static bool encode_around(pp_writer_t *writer, int32_t extension, const json_t *list, ticket_finder_t tickets)
{
    pp_writer_t *inner;
    const void *data;
    size_t len;
    if (pp_writer_new(&inner, NULL)) {
        return false;
    }
    bool good = encode_list(inner, list, tickets) && pp_writer_data(inner, &data, &len, NULL) == PP_OK && pp_writer_extension(writer, extension, data, len, NULL) == PP_OK;
    pp_writer_free(inner);
    return good;
}

static bool encode_map(pp_writer_t *writer, const json_t *entries, ticket_finder_t tickets)
{
    if (entries->type != JSON_LIST || pp_writer_map(writer, entries->len, NULL)) {
        return false;
    }
    for (const json_t *entry = entries->first; entry != NULL; entry = entry->next) {
        if (entry->type != JSON_LIST || entry->len != 2 || !encode(writer, entry->first, tickets) || !encode(writer, entry->first->next, tickets)) {
            return false;
        }
    }
    return true;
}

/* The shortest form: an integer of 64 bits is one, whatever notation it came in. */
static bool encode_integer(pp_writer_t *writer, const char *digits)
{
    bigint_t number;
    uint64_t size;
    size_t len;
    if (!bigint_parse(digits, &number)) {
        return false;
    }
    bool small = bigint_small(&number, &size);
    if (small && !number.negative) {
        return pp_writer_uint(writer, size, NULL) == PP_OK;
    }
    if (small && size <= (uint64_t)INT64_MAX + 1) {
        return pp_writer_int(writer, (int64_t)(0 - size), NULL) == PP_OK;
    }
    const uint8_t *bytes = bigint_bytes(&number, &len);
    return pp_writer_extension(writer, BIG_INTEGER, bytes, len, NULL) == PP_OK;
}

static bool encode_complex(pp_writer_t *writer, const json_t *parts)
{
    uint8_t bytes[16];
    double part;
    size_t at = 0;
    if (parts->type != JSON_LIST || parts->len != 2) {
        return false;
    }
    for (const json_t *json = parts->first; json != NULL; json = json->next) {
        uint64_t bits;
        if (!value_float(json, &part)) {
            return false;
        }
        memcpy(&bits, &part, 8);
        for (int shift = 56; shift >= 0; shift -= 8) {
            bytes[at++] = (uint8_t)(bits >> shift);
        }
    }
    return pp_writer_extension(writer, COMPLEX, bytes, sizeof bytes, NULL) == PP_OK;
}

static bool encode_tagged(pp_writer_t *writer, const json_t *object, ticket_finder_t tickets)
{
    const json_t *inner = object->first;
    double number;
    const uint8_t *data;
    size_t len;
    pp_ticket_t ticket;
    if (inner == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        if (strcmp(inner->key, LISTS[i].name) == 0) {
            return encode_around(writer, LISTS[i].extension, inner, tickets);
        }
    }
    if (strcmp(inner->key, "map") == 0) {
        return encode_map(writer, inner, tickets);
    }
    if (strcmp(inner->key, "complex") == 0) {
        return encode_complex(writer, inner);
    }
    if (strcmp(inner->key, "int") == 0) {
        return inner->type == JSON_TEXT && encode_integer(writer, inner->text);
    }
    if (strcmp(inner->key, "float32") == 0) {
        return pp_writer_float32(writer, (float)inner->number, NULL) == PP_OK;
    }
    if (strcmp(inner->key, "object") == 0) {
        return inner->type == JSON_TEXT && tickets(inner->text, &ticket) && pp_writer_ticket(writer, &ticket, NULL) == PP_OK;
    }
    if (value_float(object, &number)) {
        return pp_writer_float(writer, number, NULL) == PP_OK;
    }
    return value_bytes(object, &data, &len) && pp_writer_bytes(writer, data, len, NULL) == PP_OK;
}

static bool encode(pp_writer_t *writer, const json_t *json, ticket_finder_t tickets)
{
    switch (json->type) {
    case JSON_NULL:
        return pp_writer_nil(writer, NULL) == PP_OK;
    case JSON_BOOL:
        return pp_writer_bool(writer, json->flag, NULL) == PP_OK;
    case JSON_INT:
        return pp_writer_int(writer, json->integer, NULL) == PP_OK;
    case JSON_FLOAT:
        return pp_writer_float(writer, json->number, NULL) == PP_OK;
    case JSON_TEXT:
        return pp_writer_text(writer, json->text, json->len, NULL) == PP_OK;
    case JSON_LIST:
        return encode_list(writer, json, tickets);
    default:
        return encode_tagged(writer, json, tickets);
    }
}

bool value_encode(const json_t *json, ticket_finder_t tickets, pp_datum_t *datum)
{
    pp_writer_t *writer;
    const void *data;
    size_t len;
    if (pp_writer_new(&writer, NULL)) {
        return false;
    }
    bool good = encode(writer, json, tickets) && pp_writer_data(writer, &data, &len, NULL) == PP_OK;
    if (good) {
        void *kept = line_memory(len);
        memcpy(kept, data, len);
        *datum = pp_encoded(kept, len, PP_CODEC_VALUE);
    }
    pp_writer_free(writer);
    return good;
}

bool value_float(const json_t *json, double *number)
{
    const json_t *name = json_member(json, "float");
    *number = name->type == JSON_TEXT ? strtod(name->text, NULL) : json->number;
    return name->type == JSON_TEXT || json->type == JSON_INT || json->type == JSON_FLOAT;
}

bool value_bytes(const json_t *json, const uint8_t **data, size_t *len)
{
    const json_t *digits = json_member(json, "bytes"), *blob = json_member(json, "blob");
    *len = blob->type == JSON_INT ? (size_t)blob->integer : digits->len / 2;
    uint8_t *bytes = line_memory(*len);
    *data = bytes;
    if (blob->type == JSON_INT) {
        for (size_t i = 0; i < *len; i++) {
            bytes[i] = (uint8_t)(i % 251);
        }
        return true;
    }
    for (size_t i = 0; i < *len; i++) {
        char pair[3] = {digits->text[2 * i], digits->text[2 * i + 1], 0}, *end;
        bytes[i] = (uint8_t)strtoul(pair, &end, 16);
        if (end != pair + 2) {
            return false;
        }
    }
    return digits->type == JSON_TEXT && digits->len % 2 == 0;
}

const char *value_kind(const pp_ticket_t *ticket)
{
    static const char *const NAMES[] = {"",        "Lock",   "Queue", "RLock", "Semaphore", "Condition", "Event",     "Barrier",
                                        "RwLock",  "Value",  "Array", "Dict",  "List",      "Set",       "Namespace", "Events"};
    int32_t kind = pp_ticket_kind(ticket);
    return kind > 0 && kind <= PP_KIND_EVENTS ? NAMES[kind] : "";
}

void value_print_float(text_t *text, double number)
{
    if (isnan(number)) {
        text_print(text, "{\"float\":\"nan\"}");
    } else if (isinf(number)) {
        text_print(text, "{\"float\":\"%s\"}", number > 0 ? "inf" : "-inf");
    } else {
        text_float(text, number);
    }
}

void value_print_bytes(text_t *text, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    uint32_t sum = 0;
    text_print(text, "{\"bytes\":\"");
    for (size_t i = 0; i < len; i++) {
        if (len <= MOST_BYTES) {
            text_print(text, "%02x", bytes[i]);
        }
        sum = sum * 31 + bytes[i];
    }
    if (len > MOST_BYTES) {
        text_print(text, "%zu bytes, sum %" PRIu32, len, sum);
    }
    text_print(text, "\"}");
}

static bool print_list(text_t *text, uint64_t count, const void *data, size_t len, size_t *at)
{
    text_add(text, "[", 1);
    for (uint64_t i = 0; i < count; i++) {
        text_add(text, ",", i > 0);
        if (!value_print(text, data, len, at)) {
            return false;
        }
    }
    text_add(text, "]", 1);
    return true;
}

static bool print_map(text_t *text, uint64_t count, const void *data, size_t len, size_t *at)
{
    text_print(text, "{\"map\":[");
    for (uint64_t i = 0; i < count; i++) {
        text_add(text, ",", i > 0);
        if (!print_list(text, 2, data, len, at)) {
            return false;
        }
    }
    text_print(text, "]}");
    return true;
}

static double big_endian(const uint8_t *bytes)
{
    uint64_t bits = 0;
    double number;
    for (int i = 0; i < 8; i++) {
        bits = bits << 8 | bytes[i];
    }
    memcpy(&number, &bits, 8);
    return number;
}

static bool print_extension(text_t *text, const pp_item_t *item)
{
    size_t at = 0;
    bool good = true;
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        if (item->extension == LISTS[i].extension) {
            text_print(text, "{\"%s\":", LISTS[i].name);
            good = value_print(text, item->data, item->len, &at);
            text_print(text, "}");
            return good;
        }
    }
    if (item->extension == BIG_INTEGER) {
        const char *digits = bigint_digits(item->data, item->len);
        text_print(text, "{\"int\":\"");
        text_add(text, digits, strlen(digits));
        text_print(text, "\"}");
    } else if (item->extension == COMPLEX && item->len == 16) {
        const uint8_t *bytes = item->data;
        text_print(text, "{\"complex\":[");
        value_print_float(text, big_endian(bytes));
        text_print(text, ",");
        value_print_float(text, big_endian(bytes + 8));
        text_print(text, "]}");
    } else if (item->extension == TICKET && item->len == sizeof(pp_ticket_t)) {
        pp_ticket_t ticket;
        memcpy(&ticket, item->data, sizeof ticket);
        text_print(text, "{\"object\":\"%s\"}", value_kind(&ticket));
    } else {
        text_print(text, "{\"extension\":[%" PRId32 ",", item->extension);
        value_print_bytes(text, item->data, item->len);
        text_print(text, "]}");
    }
    return good;
}

bool value_print(text_t *text, const void *data, size_t len, size_t *at)
{
    pp_item_t item;
    if (pp_read_next(data, len, at, &item, NULL)) {
        return false;
    }
    switch (item.kind) {
    case PP_TYPE_NIL:
        text_print(text, "null");
        return true;
    case PP_TYPE_BOOL:
        text_print(text, item.integer ? "true" : "false");
        return true;
    case PP_TYPE_INT:
        text_print(text, "%" PRId64, item.integer);
        return true;
    case PP_TYPE_UINT:
        text_print(text, "{\"int\":\"%" PRIu64 "\"}", (uint64_t)item.integer);
        return true;
    case PP_TYPE_FLOAT:
        if (item.len == 4) {
            text_print(text, "{\"float32\":");
        }
        value_print_float(text, item.number);
        text_add(text, "}", item.len == 4);
        return true;
    case PP_TYPE_TEXT:
        text_string(text, item.data, item.len);
        return true;
    case PP_TYPE_BYTES:
        value_print_bytes(text, item.data, item.len);
        return true;
    case PP_TYPE_LIST:
        return print_list(text, item.count, data, len, at);
    case PP_TYPE_MAP:
        return print_map(text, item.count, data, len, at);
    default:
        return print_extension(text, &item);
    }
}
