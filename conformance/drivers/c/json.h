/* JSON: a line that was read, as a tree, and a text that is written. Knows nothing of what it means.
 * What a line needs lives until line_over. */
#ifndef DRIVER_JSON_H
#define DRIVER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { JSON_NULL, JSON_BOOL, JSON_INT, JSON_FLOAT, JSON_TEXT, JSON_LIST, JSON_OBJECT } json_type_t;

typedef struct json {
    json_type_t type;
    bool flag;
    int64_t integer;
    double number;           /* of an integer too */
    const char *text;        /* UTF-8, with a NUL behind it and perhaps within */
    size_t len;              /* bytes of a text, items of a list, members of an object */
    const char *key;         /* of a member of an object */
    const struct json *first;
    const struct json *next;
} json_t;

/* The value that a line is; NULL: it is none. */
const json_t *json_parse(const char *line);

/* A member of an object, a null if there is none. */
const json_t *json_member(const json_t *object, const char *key);

/* Memory until the line is over; never NULL. */
void *line_memory(size_t size);
void line_over(void);

typedef struct {
    char *data;
    size_t len, room;
} text_t;

void text_add(text_t *text, const void *data, size_t len);
void text_print(text_t *text, const char *format, ...);
void text_string(text_t *text, const char *data, size_t len);
void text_float(text_t *text, double number);

#endif
