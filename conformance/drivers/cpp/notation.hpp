// Values as they stand in lines (the page of the contract has the notation): to polyproc.hpp they are a type like any other, by a coder of their own.
#ifndef DRIVER_NOTATION_HPP
#define DRIVER_NOTATION_HPP

#include "json.hpp"

template <>
inline constexpr bool polyproc::is_value<json> = true;

template <>
struct polyproc::coder<json> {
    static bool write(const writing &to, const json &from);
    static bool read(reading &from, json &to);
};

// The bytes of {"bytes": hex} or {"blob": n}, and the other way round.
polyproc::bytes bytes_of(const json &from);
json of_bytes(const void *data, std::size_t size);
// Floats, which JSON has not all of.
json of_float(double number);
double float_of(const json &from);

#endif
