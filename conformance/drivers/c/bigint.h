/* Integers of any size: decimal digits, and the big-endian two's complement that values have. */
#ifndef DRIVER_BIGINT_H
#define DRIVER_BIGINT_H

#include "json.h"

typedef struct {
    bool negative;
    uint8_t *bytes; /* of the size of the number, the lowest first; they live until the line is over */
    size_t len;     /* no zeros at the end */
} bigint_t;

bool bigint_parse(const char *digits, bigint_t *number);

/* Whether it is below 2^64, and what it is without its sign. */
bool bigint_small(const bigint_t *number, uint64_t *size);

/* Two's complement, as short as can be. */
const uint8_t *bigint_bytes(const bigint_t *number, size_t *len);

/* The number of these bytes, in decimal digits. */
const char *bigint_digits(const uint8_t *bytes, size_t len);

#endif
