/* Integers of any size. */
#include "bigint.h"

#include <string.h>

bool bigint_parse(const char *digits, bigint_t *number)
{
    number->negative = *digits == '-';
    digits += number->negative;
    /* A digit is less than half a byte. */
    number->bytes = line_memory(strlen(digits) / 2 + 1);
    number->len = 0;
    if (*digits == 0) {
        return false;
    }
    for (; *digits != 0; digits++) {
        unsigned carry = (unsigned)(*digits - '0');
        if (*digits < '0' || *digits > '9') {
            return false;
        }
        for (size_t i = 0; i < number->len; i++) {
            carry += number->bytes[i] * 10u;
            number->bytes[i] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry > 0) {
            number->bytes[number->len++] = (uint8_t)carry;
        }
    }
    return true;
}

bool bigint_small(const bigint_t *number, uint64_t *size)
{
    *size = 0;
    for (size_t i = number->len; i-- > 0;) {
        *size = *size << 8 | number->bytes[i];
    }
    return number->len <= 8;
}

/* The complement plus one, of bytes whose lowest is the last. */
static void negate(uint8_t *bytes, size_t len)
{
    bool carry = true;
    for (size_t i = len; i-- > 0;) {
        bytes[i] = (uint8_t)(~bytes[i] + carry);
        carry = carry && bytes[i] == 0;
    }
}

const uint8_t *bigint_bytes(const bigint_t *number, size_t *len)
{
    uint8_t *bytes = line_memory(number->len + 1);
    *len = number->len + 1;
    for (size_t i = 0; i < number->len; i++) {
        bytes[number->len - i] = number->bytes[i];
    }
    if (number->negative) {
        negate(bytes, *len);
    }
    while (*len > 1 && ((bytes[0] == 0 && bytes[1] < 0x80) || (bytes[0] == 0xff && bytes[1] >= 0x80))) {
        bytes++;
        (*len)--;
    }
    return bytes;
}

const char *bigint_digits(const uint8_t *bytes, size_t len)
{
    bool negative = len > 0 && bytes[0] >= 0x80;
    uint8_t *left = line_memory(len);
    /* Three digits for a byte are more than enough. */
    char *digits = line_memory(len * 3 + 2);
    char *first = digits + len * 3 + 2;
    if (len > 0) {
        memcpy(left, bytes, len);
    }
    if (negative) {
        negate(left, len);
    }
    *--first = 0;
    do {
        unsigned rest = 0;
        for (size_t i = 0; i < len; i++) {
            rest = rest << 8 | left[i];
            left[i] = (uint8_t)(rest / 10);
            rest %= 10;
        }
        *--first = (char)('0' + rest);
        while (len > 0 && left[0] == 0) {
            left++;
            len--;
        }
    } while (len > 0);
    if (negative) {
        *--first = '-';
    }
    return first;
}
