#include "notation.hpp"

#include "thing.hpp"

#include <cmath>

using polyproc::bytes;
using polyproc::coder;
using polyproc::reading;
using polyproc::writing;

namespace {

// Extension types of docs/format.md.
enum extension : int32_t { tuple = 1, set, frozen_set, big_integer, complex, ticket };

const std::pair<const char *, extension> LISTS[] = {{"tuple", tuple}, {"set", set}, {"frozenset", frozen_set}};
const char *const KINDS[] = {"", "Lock", "Queue", "RLock", "Semaphore", "Condition", "Event", "Barrier", "RwLock", "Value", "Array", "Dict", "List", "Set", "Namespace", "Events"};
const std::size_t MOST_BYTES = 4096; // longer ones are not written out

[[noreturn]] void no_value(const json &what)
{
    std::string text = "no value: ";
    print(text, what);
    throw fault{"Driver", text};
}

// The complement plus one, of bytes whose lowest is the last.
void negate(std::vector<uint8_t> &number)
{
    bool carry = true;
    for (auto byte = number.rbegin(); byte != number.rend(); ++byte) {
        *byte = static_cast<uint8_t>(~*byte + carry);
        carry = carry && *byte == 0;
    }
}

// Two's complement, the highest byte first, as short as it can be.
std::vector<uint8_t> of_digits(const std::string &digits)
{
    bool negative = digits[0] == '-';
    std::vector<uint8_t> number(digits.size() / 2 + 2); // a digit is less than half a byte
    for (std::size_t i = negative; i < digits.size(); i++) {
        unsigned carry = static_cast<unsigned>(digits[i] - '0');
        for (auto byte = number.rbegin(); byte != number.rend(); ++byte) {
            carry += *byte * 10U;
            *byte = static_cast<uint8_t>(carry);
            carry >>= 8;
        }
    }
    if (negative) {
        negate(number);
    }
    std::size_t first = 0;
    while (first + 1 < number.size() && (number[first] == 0 || number[first] == 0xff) && (number[first] & 0x80) == (number[first + 1] & 0x80)) {
        first++;
    }
    return {number.begin() + static_cast<std::ptrdiff_t>(first), number.end()};
}

std::string digits_of(std::vector<uint8_t> number)
{
    bool negative = !number.empty() && number[0] >= 0x80;
    if (negative) {
        negate(number);
    }
    std::string digits;
    bool more = true;
    while (more) {
        unsigned rest = 0;
        more = false;
        for (uint8_t &byte : number) {
            rest = rest << 8 | byte;
            byte = static_cast<uint8_t>(rest / 10);
            more = more || byte != 0;
            rest %= 10;
        }
        digits.insert(digits.begin(), static_cast<char>('0' + rest));
    }
    return negative ? "-" + digits : digits;
}

// The shortest form: an integer of 64 bits is one, whatever notation it came in.
bool write_integer(const writing &to, const std::string &digits)
{
    if (digits.empty() || digits.find_first_not_of("0123456789", digits[0] == '-') != std::string::npos) {
        throw fault{"Driver", digits + " is no integer"};
    }
    std::vector<uint8_t> number = of_digits(digits);
    bool negative = number[0] >= 0x80;
    if (number.size() > 9 || (number.size() == 9 && number[0] != 0)) {
        return to.how(pp_writer_extension, to.to, int32_t{big_integer}, static_cast<const void *>(number.data()), number.size());
    }
    uint64_t bits = negative ? ~uint64_t{0} : 0;
    for (uint8_t byte : number) {
        bits = bits << 8 | byte;
    }
    return negative ? to.how(pp_writer_int, to.to, static_cast<int64_t>(bits)) : to.how(pp_writer_uint, to.to, bits);
}

bool write_list(const writing &to, const json &from)
{
    bool good = from.kind == json::list && to.how(pp_writer_list, to.to, uint64_t{from.items.size()});
    for (const json &item : from.items) {
        good = good && coder<json>::write(to, item);
    }
    return good;
}

// A value of an extension type around a list.
bool write_around(const writing &to, int32_t kind, const json &items)
{
    polyproc::handle<pp_writer_t, pp_writer_free> inner(polyproc::made<pp_writer_t>(to.how, pp_writer_new));
    const void *data = nullptr;
    std::size_t size = 0;
    return write_list({inner.native(), to.how}, items) && to.how(pp_writer_data, inner.native(), &data, &size) && to.how(pp_writer_extension, to.to, kind, data, size);
}

bool write_map(const writing &to, const json &from)
{
    bool good = to.how(pp_writer_map, to.to, uint64_t{from.items.size()});
    for (const json &entry : from.items) {
        if (entry.items.size() != 2) {
            no_value(entry);
        }
        good = good && coder<json>::write(to, entry.items[0]) && coder<json>::write(to, entry.items[1]);
    }
    return good;
}

bool write_complex(const writing &to, const json &parts)
{
    std::vector<uint8_t> data;
    for (const json &part : parts.items) {
        double number = float_of(part);
        uint64_t bits;
        std::memcpy(&bits, &number, sizeof bits);
        for (int shift = 56; shift >= 0; shift -= 8) {
            data.push_back(static_cast<uint8_t>(bits >> shift));
        }
    }
    return to.how(pp_writer_extension, to.to, int32_t{complex}, static_cast<const void *>(data.data()), data.size());
}

bool write_tagged(const writing &to, const json &from)
{
    const auto &[key, inner] = from.members.empty() ? throw fault{"Driver", "an object without a key"} : from.members[0];
    for (auto [name, kind] : LISTS) {
        if (key == name) {
            return write_around(to, kind, inner);
        }
    }
    if (key == "map") {
        return write_map(to, inner);
    }
    if (key == "complex") {
        return write_complex(to, inner);
    }
    if (key == "int") {
        return write_integer(to, inner.string);
    }
    if (key == "float32") {
        return coder<float>::write(to, static_cast<float>(inner.number));
    }
    if (key == "float") {
        return coder<double>::write(to, float_of(from));
    }
    if (key == "object") {
        return coder<polyproc::ticket>::write(to, ticket_of(inner.string));
    }
    return coder<bytes>::write(to, bytes_of(from));
}

double big_endian(const uint8_t *data)
{
    uint64_t bits = 0;
    double number;
    for (int i = 0; i < 8; i++) {
        bits = bits << 8 | data[i];
    }
    std::memcpy(&number, &bits, sizeof number);
    return number;
}

bool read_extension(const pp_item_t &item, const polyproc::failing &how, json &to)
{
    auto data = static_cast<const uint8_t *>(item.data);
    for (auto [name, kind] : LISTS) {
        if (item.extension == kind) {
            reading inside{item.data, item.len, 0, how};
            json items;
            bool good = coder<json>::read(inside, items);
            to = json::tagged(name, std::move(items));
            return good;
        }
    }
    if (item.extension == big_integer) {
        to = json::tagged("int", digits_of({data, data + item.len}));
    } else if (item.extension == complex && item.len == 16) {
        to = json::tagged("complex", std::vector<json>{of_float(big_endian(data)), of_float(big_endian(data + 8))});
    } else if (item.extension == ticket && item.len == sizeof(pp_ticket_t)) {
        polyproc::ticket found;
        std::memcpy(found.bytes, data, item.len);
        to = json::tagged("object", KINDS[found.kind()]);
        to.ticket = found;
    } else {
        to = json::tagged("extension", std::vector<json>{item.extension, of_bytes(item.data, item.len)});
    }
    return true;
}

} // namespace

bool coder<json>::write(const writing &to, const json &from)
{
    switch (from.kind) {
    case json::null: return coder<std::nullptr_t>::write(to, nullptr);
    case json::boolean: return coder<bool>::write(to, from.flag);
    case json::integer: return coder<int64_t>::write(to, from.whole);
    case json::floating: return coder<double>::write(to, from.number);
    case json::text: return coder<std::string>::write(to, from.string);
    case json::list: return write_list(to, from);
    default: return write_tagged(to, from);
    }
}

bool coder<json>::read(reading &from, json &to)
{
    pp_item_t item{};
    if (!from.next(pp_read_next, &item)) {
        return false;
    }
    auto many = [&from](uint64_t count, std::vector<json> &items) {
        for (uint64_t i = 0; i < count; i++) {
            if (!read(from, items.emplace_back())) {
                return false;
            }
        }
        return true;
    };
    switch (item.kind) {
    case PP_TYPE_NIL: to = json(); return true;
    case PP_TYPE_BOOL: to = item.integer != 0; return true;
    case PP_TYPE_INT: to = item.integer; return true;
    case PP_TYPE_UINT: to = static_cast<uint64_t>(item.integer); return true;
    case PP_TYPE_FLOAT: to = item.len == 4 ? json::tagged("float32", of_float(item.number)) : of_float(item.number); return true;
    case PP_TYPE_TEXT: to = std::string(static_cast<const char *>(item.data), item.len); return true;
    case PP_TYPE_BYTES: to = of_bytes(item.data, item.len); return true;
    case PP_TYPE_LIST: to = std::vector<json>(); return many(item.count, to.items);
    case PP_TYPE_MAP: {
        std::vector<json> entries;
        for (uint64_t i = 0; i < item.count; i++) {
            if (!many(2, entries.emplace_back(std::vector<json>()).items)) {
                return false;
            }
        }
        to = json::tagged("map", std::move(entries));
        return true;
    }
    default: return read_extension(item, from.how, to);
    }
}

bytes bytes_of(const json &from)
{
    const json &blob = from["blob"], &digits = from["bytes"];
    bytes out;
    if (blob.kind == json::integer) {
        for (int64_t i = 0; i < blob.whole; i++) {
            out.push_back(static_cast<std::byte>(i % 251));
        }
        return out;
    }
    if (digits.kind != json::text || digits.string.size() % 2 != 0 || digits.string.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
        no_value(from);
    }
    for (std::size_t i = 0; i < digits.string.size(); i += 2) {
        out.push_back(static_cast<std::byte>(std::stoi(digits.string.substr(i, 2), nullptr, 16)));
    }
    return out;
}

json of_bytes(const void *data, std::size_t size)
{
    static const char digits[] = "0123456789abcdef";
    auto byte = static_cast<const uint8_t *>(data);
    std::string text;
    uint32_t sum = 0;
    for (std::size_t i = 0; i < size; i++) {
        sum = sum * 31 + byte[i];
        if (size <= MOST_BYTES) {
            text += digits[byte[i] >> 4];
            text += digits[byte[i] & 15];
        }
    }
    return json::tagged("bytes", size <= MOST_BYTES ? text : std::to_string(size) + " bytes, sum " + std::to_string(sum));
}

json of_float(double number)
{
    return std::isfinite(number) ? json(number) : json::tagged("float", std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
}

double float_of(const json &from)
{
    const json &name = from["float"];
    if (name.kind != json::text && !from.is_number()) {
        no_value(from);
    }
    return name.kind == json::text ? std::strtod(name.string.c_str(), nullptr) : from.number;
}
