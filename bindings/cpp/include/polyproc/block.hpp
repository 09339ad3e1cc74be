// Columns of plain values inside of values, arguments and results: Block of other languages.
#ifndef POLYPROC_BLOCK_HPP
#define POLYPROC_BLOCK_HPP

#include "cells.hpp"
#include "message.hpp"

namespace polyproc {

// Many numbers or structures in one piece, which go around the encoding where the sender's language can do that. Here they are copied in and out; in place they are read by pp_message_block.
//
//     queue<std::tuple<std::string, block<double>>> columns(fabric, "columns");
//     columns.put({"prices", {{1.5, 2.5}}});
template <class T>
struct block {
    std::vector<T> values;

    friend bool operator==(const block &a, const block &b) { return a.values == b.values; }
    friend bool operator!=(const block &a, const block &b) { return !(a == b); }
};

template <class T>
inline constexpr bool is_value<block<T>> = true;

template <class T>
struct coder<block<T>> {
    static_assert(!std::is_same_v<T, bool>, "other languages have no blocks of bool");

    static bool write(const writing &to, const block<T> &from)
    {
        return to.how(pp_writer_block, to.to, detail::cell_code<T>(), sizeof(T), static_cast<const void *>(from.values.data()), from.values.size());
    }
    // wrong_type: it holds other values.
    static bool read(reading &from, block<T> &to)
    {
        pp_item_t item{};
        pp_block_t found{};
        if (!from.next(pp_read_next, &item)) {
            return false;
        }
        const pp_item_t *lent = &item;
        if (from.call != nullptr ? !from.how(pp_call_block, from.call, lent, &found) : !from.how(pp_message_block, from.message, lent, &found)) {
            return false;
        }
        int32_t code = found.code == 'l' ? 'q' : found.code == 'L' ? 'Q' : found.code;
        if (code != detail::cell_code<T>() || found.value_size != sizeof(T)) {
            return from.wrong("a block of '" + std::string(1, static_cast<char>(code)) + "', " + std::to_string(found.value_size) + " bytes each, is not of the type that was asked for");
        }
        to.values.resize(found.count);
        if (found.count > 0) {
            std::memcpy(static_cast<void *>(to.values.data()), found.data, found.count * sizeof(T));
        }
        return true;
    }
};

} // namespace polyproc

#endif
