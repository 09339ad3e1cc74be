/* Values: between the notation of lines (the page of the contract has it) and encoded ones. */
#ifndef DRIVER_VALUES_H
#define DRIVER_VALUES_H

#include "json.h"

#include <polyproc.h>

/* Finds the ticket of the object of this name. */
typedef bool (*ticket_finder_t)(const char *name, pp_ticket_t *ticket);

/* The encoded value of what stands in a line. It lives until the line is over. False: it is no value. */
bool value_encode(const json_t *json, ticket_finder_t tickets, pp_datum_t *datum);

/* Writes the value at `*at`, and goes past it. False: the bytes are damaged. */
bool value_print(text_t *text, const void *data, size_t len, size_t *at);

/* Writes a byte string. */
void value_print_bytes(text_t *text, const void *data, size_t len);

/* Floats, which JSON has not all of. */
void value_print_float(text_t *text, double number);
bool value_float(const json_t *json, double *number);

/* The bytes of {"bytes": hex} or {"blob": n}. */
bool value_bytes(const json_t *json, const uint8_t **data, size_t *len);

/* The kind of a ticket's object, as "Queue". */
const char *value_kind(const pp_ticket_t *ticket);

#endif
