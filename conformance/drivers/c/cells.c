/* Value, Array, and blocks of shared memory. */
#include "driver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TRAVELS(cells)

enum { SIGNED, UNSIGNED, FLOATING, TRUTH, LETTER };

/* The cells that cases use, by their codes. */
typedef struct {
    char code;
    uint8_t size, is;
    int64_t least;
    uint64_t most;
} cell_t;

static const cell_t CELLS[] = {
    {'b', 1, SIGNED, INT8_MIN, INT8_MAX}, {'h', 2, SIGNED, INT16_MIN, INT16_MAX}, {'i', 4, SIGNED, INT32_MIN, INT32_MAX},
    {'l', 8, SIGNED, INT64_MIN, INT64_MAX}, {'q', 8, SIGNED, INT64_MIN, INT64_MAX}, {'B', 1, UNSIGNED, 0, UINT8_MAX},
    {'H', 2, UNSIGNED, 0, UINT16_MAX}, {'I', 4, UNSIGNED, 0, UINT32_MAX}, {'L', 8, UNSIGNED, 0, UINT64_MAX},
    {'Q', 8, UNSIGNED, 0, UINT64_MAX}, {'f', 4, FLOATING, 0, 0}, {'d', 8, FLOATING, 0, 0},
    {'?', 1, TRUTH, 0, 0}, {'c', 1, LETTER, 0, 0},
};

enum { WIDEST = 8 };

static const cell_t *cell_of(int32_t code)
{
    for (size_t i = 0; i < sizeof CELLS / sizeof *CELLS; i++) {
        if (CELLS[i].code == code) {
            return &CELLS[i];
        }
    }
    return NULL;
}

/* An integer of a line: its lowest 64 bits, if the cell can hold it. */
static bool read_integer(const cell_t *cell, const json_t *json, uint64_t *bits)
{
    const json_t *digits = json_member(json, "int");
    if (digits->type == JSON_TEXT) {
        *bits = strtoull(digits->text, NULL, 10);
        return digits->text[0] != '-' && *bits <= cell->most;
    }
    *bits = (uint64_t)json->integer;
    return json->type == JSON_INT && json->integer >= cell->least && (json->integer < 0 || *bits <= cell->most);
}

/* What a cell is to hold. Numbers are the lowest bytes first here, as everywhere where the library runs. */
static int32_t read_cell(step_t *step, const cell_t *cell, const json_t *json, uint8_t *bytes)
{
    uint64_t bits = 0;
    double number = 0;
    const uint8_t *letter;
    size_t len;
    bool good;
    switch (cell->is) {
    case FLOATING:
        good = value_float(json, &number);
        if (cell->size == 4) {
            memcpy(bytes, &(float){(float)number}, 4);
        } else {
            memcpy(bytes, &number, 8);
        }
        break;
    case TRUTH:
        good = json->type == JSON_BOOL;
        bytes[0] = json->flag;
        break;
    case LETTER:
        good = value_bytes(json, &letter, &len) && len == 1;
        bytes[0] = good ? letter[0] : 0;
        break;
    default:
        good = read_integer(cell, json, &bits);
        memcpy(bytes, &bits, cell->size);
    }
    return good ? PP_OK : step_fault(step, "InvalidArgument", "that is nothing for a cell of type '%c'", cell->code);
}

/* An integer that a cell holds: 64 bits, with its sign. */
static uint64_t integer_in(const cell_t *cell, const uint8_t *bytes)
{
    uint64_t bits = 0;
    memcpy(&bits, bytes, cell->size);
    if (cell->is == SIGNED && bits > cell->most) {
        bits |= ~(uint64_t)0 << (8 * cell->size - 1);
    }
    return bits;
}

static double float_in(const cell_t *cell, const uint8_t *bytes)
{
    float narrow;
    double number;
    if (cell->size == 4) {
        memcpy(&narrow, bytes, 4);
        return narrow;
    }
    memcpy(&number, bytes, 8);
    return number;
}

static void say_cell(text_t *text, const cell_t *cell, const uint8_t *bytes)
{
    uint64_t bits;
    switch (cell->is) {
    case FLOATING:
        value_print_float(text, float_in(cell, bytes));
        break;
    case TRUTH:
        text_print(text, bytes[0] ? "true" : "false");
        break;
    case LETTER:
        value_print_bytes(text, bytes, 1);
        break;
    default:
        bits = integer_in(cell, bytes);
        if (cell->is == SIGNED) {
            text_print(text, "%" PRId64, (int64_t)bits);
        } else if (bits <= INT64_MAX) {
            text_print(text, "%" PRIu64, bits);
        } else {
            text_print(text, "{\"int\":\"%" PRIu64 "\"}", bits);
        }
    }
}

/* Adds `more` to what is in `bytes`. */
static int32_t add_cell(step_t *step, const cell_t *cell, uint8_t *bytes, const uint8_t *more)
{
    uint64_t a = integer_in(cell, bytes), b = integer_in(cell, more), sum = a + b;
    bool fits = true;
    double number;
    switch (cell->is) {
    case FLOATING:
        number = float_in(cell, bytes) + float_in(cell, more);
        if (cell->size == 4) {
            memcpy(bytes, &(float){(float)number}, 4);
        } else {
            memcpy(bytes, &number, 8);
        }
        return PP_OK;
    case SIGNED:
        fits = (int64_t)b >= 0 ? (int64_t)a <= (int64_t)cell->most - (int64_t)b : (int64_t)a >= cell->least - (int64_t)b;
        break;
    case UNSIGNED:
        fits = a <= cell->most - b;
        break;
    default:
        fits = false;
    }
    memcpy(bytes, &sum, cell->size);
    return fits ? PP_OK : step_fault(step, "Driver", "the sum does not fit");
}

static int32_t open_cells(step_t *step, int32_t kind, const char *name, int32_t how, void **handle)
{
    pp_cells_options_t options = PP_CELLS_OPTIONS_INIT;
    const json_t *type = json_member(step->with, "type"), *contents = json_member(step->with, kind == PP_KIND_VALUE ? "value" : "contents");
    const cell_t *cell = cell_of(type->type == JSON_TEXT ? type->text[0] : 'i');
    pp_cells_t *made = NULL;
    int32_t status = PP_OK;
    if (cell == NULL) {
        return step_fault(step, "Driver", "no cell type %s", type->text);
    }
    bool counted = kind == PP_KIND_ARRAY && contents->type == JSON_INT;
    options.code = cell->code;
    options.count = kind == PP_KIND_VALUE ? 1 : counted ? (size_t)contents->integer : contents->len;
    const json_t *lock = json_member(step->with, "lock");
    options.locking = lock->type == JSON_BOOL && !lock->flag ? PP_LOCKING_NONE : PP_LOCKING_OWN;
    uint8_t *bytes = line_memory(options.count * cell->size);
    if (kind == PP_KIND_VALUE) {
        status = contents->type == JSON_NULL ? PP_OK : read_cell(step, cell, contents, bytes);
    } else if (!counted) {
        uint8_t *at = bytes;
        for (const json_t *item = contents->first; status == PP_OK && item != NULL; item = item->next, at += cell->size) {
            status = read_cell(step, cell, item, at);
        }
    }
    options.contents = bytes;
    if (status == PP_OK) {
        status = pp_cells_open(world_fabric(), kind, name, how, &options, &made, &step->error);
    }
    *handle = made;
    return status;
}

static int32_t open_value(step_t *step, const char *name, int32_t how, void **handle)
{
    return open_cells(step, PP_KIND_VALUE, name, how, handle);
}

static int32_t open_array(step_t *step, const char *name, int32_t how, void **handle)
{
    return open_cells(step, PP_KIND_ARRAY, name, how, handle);
}

/* The type of the cells, and their lock, where they have one. After a death in it the first call says that, and does nothing else. */
static int32_t enter(step_t *step, pp_cells_t *cells, const cell_t **cell, bool *locked)
{
    int32_t code = 0;
    int32_t status = pp_cells_code(cells, &code, &step->error);
    if (status != PP_OK) {
        return status;
    }
    *cell = cell_of(code);
    if (*cell == NULL) {
        return step_fault(step, "Driver", "no cell type %d", (int)code);
    }
    status = pp_cells_has_lock(cells, locked, &step->error);
    if (status != PP_OK || !*locked) {
        return status;
    }
    status = pp_cells_acquire(cells, PP_FOREVER, &step->error);
    if (status == PP_OWNER_DIED) {
        pp_cells_release(cells, NULL);
    }
    return status;
}

static int32_t leave(pp_cells_t *cells, bool locked, int32_t status)
{
    if (locked) {
        pp_cells_release(cells, NULL);
    }
    return status;
}

static int32_t read_range(step_t *step, void *cells, size_t from, size_t count, bool one)
{
    const cell_t *cell;
    bool locked = false;
    int32_t status = enter(step, cells, &cell, &locked);
    if (status != PP_OK) {
        return status;
    }
    uint8_t *bytes = line_memory(count * cell->size);
    status = leave(cells, locked, pp_cells_read(cells, from, bytes, count * cell->size, &step->error));
    text_add(step->answer, "[", !one);
    for (size_t i = 0; status == PP_OK && i < count; i++) {
        text_add(step->answer, ",", i > 0);
        say_cell(step->answer, cell, bytes + i * cell->size);
    }
    text_add(step->answer, "]", !one);
    return status;
}

/* Writes the items, one after the other from `from` on. */
static int32_t write_range(step_t *step, void *cells, size_t from, const json_t *items, size_t count)
{
    const cell_t *cell;
    bool locked = false;
    int32_t status = enter(step, cells, &cell, &locked);
    if (status != PP_OK) {
        return status;
    }
    uint8_t *bytes = line_memory(count * cell->size);
    for (size_t i = 0; status == PP_OK && i < count; i++, items = items->next) {
        status = read_cell(step, cell, items, bytes + i * cell->size);
    }
    if (status == PP_OK) {
        status = pp_cells_write(cells, from, bytes, count * cell->size, &step->error);
    }
    return leave(cells, locked, status);
}

static int32_t add(step_t *step, void *cells, size_t index, const json_t *json)
{
    const cell_t *cell;
    bool locked = false;
    uint8_t bytes[WIDEST], more[WIDEST];
    int32_t status = enter(step, cells, &cell, &locked);
    if (status != PP_OK) {
        return status;
    }
    status = read_cell(step, cell, json, more);
    if (status == PP_OK) {
        status = pp_cells_read(cells, index, bytes, cell->size, &step->error);
    }
    if (status == PP_OK) {
        status = add_cell(step, cell, bytes, more);
    }
    if (status == PP_OK) {
        status = pp_cells_write(cells, index, bytes, cell->size, &step->error);
        say_cell(step->answer, cell, bytes);
    }
    return leave(cells, locked, status);
}

static int32_t value_get(step_t *step, void *cells)
{
    return read_range(step, cells, 0, 1, true);
}

static int32_t value_set(step_t *step, void *cells)
{
    return write_range(step, cells, 0, step->args[0].json, 1);
}

static int32_t value_add(step_t *step, void *cells)
{
    return add(step, cells, 0, step->args[0].json);
}

static int32_t acquire(step_t *step, void *cells)
{
    return say_acquired(step, pp_cells_acquire(cells, step->timeout, &step->error));
}

static int32_t release(step_t *step, void *cells)
{
    return pp_cells_release(cells, &step->error);
}

static const row_t VALUE_ROWS[] = {
    {"get", "", value_get}, {"set", "v", value_set}, {"add", "v", value_add}, {"acquire", "", acquire}, {"release", "", release},
    {"destroy", "", cells_destroy}, {NULL, NULL, NULL},
};

const kind_t VALUE = {"value", VALUE_ROWS, cells_free, open_value, PP_KIND_VALUE, cells_of, cells_ticket};

static int32_t array_get(step_t *step, void *cells)
{
    return read_range(step, cells, (size_t)step->args[0].integer, 1, true);
}

static int32_t array_set(step_t *step, void *cells)
{
    return write_range(step, cells, (size_t)step->args[0].integer, step->args[1].json, 1);
}

static int32_t array_add(step_t *step, void *cells)
{
    return add(step, cells, (size_t)step->args[0].integer, step->args[1].json);
}

static int32_t slice(step_t *step, void *cells)
{
    return read_range(step, cells, (size_t)step->args[0].integer, (size_t)(step->args[1].integer - step->args[0].integer), false);
}

static int32_t set_slice(step_t *step, void *cells)
{
    return write_range(step, cells, (size_t)step->args[0].integer, step->args[1].json->first, step->args[1].json->len);
}

static int32_t items(step_t *step, void *cells)
{
    size_t count = 0;
    int32_t status = pp_cells_len(cells, &count, &step->error);
    return status == PP_OK ? read_range(step, cells, 0, count, false) : status;
}

static int32_t len(step_t *step, void *cells)
{
    size_t count = 0;
    return say_size(step, pp_cells_len(cells, &count, &step->error), &count);
}

static const row_t ARRAY_ROWS[] = {
    {"get", "i", array_get}, {"set", "iv", array_set}, {"add", "iv", array_add}, {"slice", "ii", slice}, {"set_slice", "il", set_slice},
    {"items", "", items}, {"len", "", len}, {"acquire", "", acquire}, {"release", "", release}, {"destroy", "", cells_destroy}, {NULL, NULL, NULL},
};

const kind_t ARRAY = {"array", ARRAY_ROWS, cells_free, open_array, PP_KIND_ARRAY, cells_of, cells_ticket};

/* A block's name: polyproc-FABRIC-NAME-ID. */
static int32_t open_block(step_t *step, const char *name, int32_t how, void **handle)
{
    pp_shm_t *made = NULL;
    char fabric[256], digits[33];
    uint8_t id[16];
    int32_t status = pp_fabric_name(world_fabric(), fabric, sizeof fabric, &step->error);
    if (status == PP_OK) {
        status = pp_fabric_id(world_fabric(), id, &step->error);
    }
    if (status != PP_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof id; i++) {
        snprintf(digits + 2 * i, 3, "%02x", id[i]);
    }
    size_t room = strlen(fabric) + strlen(name) + sizeof digits + 16;
    char *whole = line_memory(room);
    snprintf(whole, room, "polyproc-%s-%s-%s", fabric, name, digits);
    status = how == PP_CREATE ? pp_shm_create(whole, (size_t)step_option(step, "size", 0), &made, &step->error) : pp_shm_attach(whole, false, &made, &step->error);
    *handle = made;
    return status;
}

static int32_t block_read(step_t *step, void *block)
{
    size_t count = (size_t)step->args[1].integer;
    uint8_t *bytes = line_memory(count);
    int32_t status = pp_shm_read(block, (size_t)step->args[0].integer, bytes, count, &step->error);
    value_print_bytes(step->answer, bytes, count);
    return status;
}

static int32_t block_write(step_t *step, void *block)
{
    return pp_shm_write(block, (size_t)step->args[0].integer, step->args[1].bytes, step->args[1].len, &step->error);
}

static int32_t block_size(step_t *step, void *block)
{
    size_t size = 0;
    return say_size(step, pp_shm_size(block, &size, &step->error), &size);
}

static int32_t block_unlink(step_t *step, void *block)
{
    return pp_shm_unlink(block, &step->error);
}

static void block_free(void *block)
{
    pp_shm_free(block);
}

static const row_t BLOCK_ROWS[] = {
    {"read", "ii", block_read}, {"write", "ib", block_write}, {"size", "", block_size}, {"unlink", "", block_unlink}, {NULL, NULL, NULL},
};

const kind_t SHARED_MEMORY = {"shared_memory", BLOCK_ROWS, block_free, open_block, 0, NULL, NULL};
