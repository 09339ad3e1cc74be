/* JSON, read and written. */
#include "json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct block {
    struct block *next;
} block_t;

static block_t *blocks;

static void *demand(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return memory;
}

void *line_memory(size_t size)
{
    block_t *block = demand(calloc(1, sizeof(block_t) + size + 1));
    block->next = blocks;
    blocks = block;
    return block + 1;
}

void line_over(void)
{
    while (blocks != NULL) {
        block_t *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}

static json_t *value(const char **at);

static void space(const char **at)
{
    *at += strspn(*at, " \t\r\n");
}

static bool take(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0) {
        return false;
    }
    *at += len;
    return true;
}

static bool hex4(const char **at, uint32_t *code)
{
    char digits[5] = {0}, *end;
    strncpy(digits, *at, 4);
    *code = (uint32_t)strtoul(digits, &end, 16);
    *at += end - digits;
    return end == digits + 4;
}

static char *utf8(char *to, uint32_t code)
{
    static const struct { uint32_t below; int more; uint8_t lead; } FORMS[] = {{0x80, 0, 0}, {0x800, 1, 0xc0}, {0x10000, 2, 0xe0}, {0x110000, 3, 0xf0}};
    int form = 0;
    while (code >= FORMS[form].below) {
        form++;
    }
    int more = FORMS[form].more;
    *to++ = (char)(FORMS[form].lead | (code >> (6 * more)));
    while (more-- > 0) {
        *to++ = (char)(0x80 | ((code >> (6 * more)) & 0x3f));
    }
    return to;
}

/* One character behind a backslash, written to `to`; NULL: it is none. */
static char *escaped(const char **at, char *to)
{
    static const char NAMES[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
    uint32_t code, low;
    char name = *(*at)++;
    const char *known = name == 0 ? NULL : strchr(NAMES, name);
    if (known != NULL) {
        *to = MEANT[known - NAMES];
        return to + 1;
    }
    if (name != 'u' || !hex4(at, &code)) {
        return NULL;
    }
    if (code >= 0xd800 && code < 0xdc00) {
        if (!take(at, "\\u") || !hex4(at, &low) || low < 0xdc00 || low > 0xdfff) {
            return NULL;
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    return utf8(to, code);
}

static bool string(const char **at, const char **text, size_t *len)
{
    if (!take(at, "\"")) {
        return false;
    }
    /* No character becomes longer than its escape. */
    size_t most = 0;
    while ((*at)[most] != 0 && (*at)[most] != '"') {
        most += (*at)[most] == '\\' && (*at)[most + 1] != 0 ? 2 : 1;
    }
    char *to = line_memory(most);
    *text = to;
    while (**at != 0 && **at != '"') {
        if (**at != '\\') {
            *to++ = *(*at)++;
            continue;
        }
        (*at)++;
        to = escaped(at, to);
        if (to == NULL) {
            return false;
        }
    }
    *len = (size_t)(to - *text);
    return take(at, "\"");
}

static bool number(const char **at, json_t *json)
{
    size_t len = strspn(*at, "+-0123456789.eE");
    bool whole = strcspn(*at, ".eE") >= len;
    char *end;
    json->type = whole ? JSON_INT : JSON_FLOAT;
    json->number = strtod(*at, &end);
    json->integer = whole ? strtoll(*at, NULL, 10) : 0;
    bool good = len > 0 && end == *at + len;
    *at += len;
    return good;
}

static bool items(const char **at, json_t *json, const char *end)
{
    const json_t **last = &json->first;
    space(at);
    if (take(at, end)) {
        return true;
    }
    for (;;) {
        const char *key = NULL;
        size_t key_len;
        space(at);
        if (json->type == JSON_OBJECT) {
            if (!string(at, &key, &key_len)) {
                return false;
            }
            space(at);
            if (!take(at, ":")) {
                return false;
            }
        }
        json_t *item = value(at);
        if (item == NULL) {
            return false;
        }
        item->key = key;
        *last = item;
        last = &item->next;
        json->len++;
        space(at);
        if (take(at, end)) {
            return true;
        }
        if (!take(at, ",")) {
            return false;
        }
    }
}

static json_t *value(const char **at)
{
    json_t *json = line_memory(sizeof(json_t));
    bool good = true;
    space(at);
    if (take(at, "null")) {
        json->type = JSON_NULL;
    } else if (take(at, "true")) {
        json->type = JSON_BOOL;
        json->flag = true;
    } else if (take(at, "false")) {
        json->type = JSON_BOOL;
    } else if (**at == '"') {
        json->type = JSON_TEXT;
        good = string(at, &json->text, &json->len);
    } else if (take(at, "[")) {
        json->type = JSON_LIST;
        good = items(at, json, "]");
    } else if (take(at, "{")) {
        json->type = JSON_OBJECT;
        good = items(at, json, "}");
    } else {
        good = number(at, json);
    }
    return good ? json : NULL;
}

const json_t *json_parse(const char *line)
{
    const json_t *json = value(&line);
    space(&line);
    return *line == 0 ? json : NULL;
}

const json_t *json_member(const json_t *object, const char *key)
{
    static const json_t NOTHING = {0};
    if (object->type == JSON_OBJECT) {
        for (const json_t *member = object->first; member != NULL; member = member->next) {
            if (strcmp(member->key, key) == 0) {
                return member;
            }
        }
    }
    return &NOTHING;
}

void text_add(text_t *text, const void *data, size_t len)
{
    if (text->room - text->len <= len) {
        text->room = (text->len + len + 1) * 2;
        text->data = demand(realloc(text->data, text->room));
    }
    if (len > 0) {
        memcpy(text->data + text->len, data, len);
    }
    text->len += len;
    text->data[text->len] = 0;
}

void text_print(text_t *text, const char *format, ...)
{
    char buffer[256];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    text_add(text, buffer, (size_t)len < sizeof buffer ? (size_t)len : sizeof buffer - 1);
}

void text_string(text_t *text, const char *data, size_t len)
{
    text_add(text, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)data[i];
        if (byte < 0x20) {
            text_print(text, "\\u%04x", byte);
        } else if (byte == '"' || byte == '\\') {
            text_print(text, "\\%c", byte);
        } else {
            text_add(text, data + i, 1);
        }
    }
    text_add(text, "\"", 1);
}

/* As few digits as lead back to the same number, and always a point or an exponent. */
void text_float(text_t *text, double number)
{
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number) {
            break;
        }
    }
    text_print(text, "%s%s", digits, strpbrk(digits, ".e") == NULL ? ".0" : "");
}
