// Named blocks of shared memory, and lists in such, as Python's SharedMemory and ShareableList; they need no fabric, and stay until they are unlinked.
#ifndef POLYPROC_SHM_HPP
#define POLYPROC_SHM_HPP

#include "message.hpp"

#include <variant>

namespace polyproc {

class shared_memory : public handle<pp_shm_t, pp_shm_free> {
  public:
    using handle::handle;

    // Without a name: one is found.
    static shared_memory create(std::size_t size, polyproc::name name = {}, failing how = {})
    {
        return shared_memory(made<pp_shm_t>(how, pp_shm_create, name.get(), size));
    }
    static shared_memory attach(const std::string &name, bool read_only = false, failing how = {})
    {
        return shared_memory(made<pp_shm_t>(how, pp_shm_attach, name.c_str(), read_only));
    }

    std::string name(failing how = {}) const
    {
        char text[256] = {0};
        how(pp_shm_name, native(), text, sizeof text);
        return text;
    }
    std::size_t size(failing how = {}) const { return asked<std::size_t>(how, pp_shm_size, native()); }
    // In place, until it is closed; one that is read-only must not be written to.
    span<std::byte> data(failing how = {}) const
    {
        void *data = nullptr;
        std::size_t size = 0;
        bool good = how(pp_shm_data, native(), &data) && how(pp_shm_size, native(), &size);
        return good ? span<std::byte>(static_cast<std::byte *>(data), size) : span<std::byte>();
    }
    void read(std::size_t at, span<std::byte> into, failing how = {}) const { how(pp_shm_read, native(), at, static_cast<void *>(into.data()), into.size()); }
    void write(std::size_t at, span<const std::byte> from, failing how = {}) const
    {
        how(pp_shm_write, native(), at, static_cast<const void *>(from.data()), from.size());
    }
    void close(failing how = {}) { how(pp_shm_close, native()); }
    // Takes the name away; the memory goes with its last user.
    void unlink(failing how = {}) const { how(pp_shm_unlink, native()); }
    static void unlink(const std::string &name, failing how = {}) { how(pp_shm_unlink_name, name.c_str()); }
};

// What a cell of a shareable_list holds.
using shareable_item = std::variant<std::nullptr_t, bool, int64_t, double, std::string, bytes>;

template <>
inline constexpr bool is_value<shareable_item> = true;

template <>
struct coder<shareable_item> {
    static bool write(const writing &to, const shareable_item &from)
    {
        return std::visit([&to](const auto &item) { return coder<std::decay_t<decltype(item)>>::write(to, item); }, from);
    }
    static bool read(reading &from, shareable_item &to)
    {
        pp_item_t item{};
        std::size_t before = from.at;
        if (!from.next(pp_read_next, &item)) {
            return false;
        }
        from.at = before;
        switch (item.kind) {
        case PP_TYPE_NIL: return coder<std::nullptr_t>::read(from, to.emplace<std::nullptr_t>());
        case PP_TYPE_BOOL: return coder<bool>::read(from, to.emplace<bool>());
        case PP_TYPE_INT: return coder<int64_t>::read(from, to.emplace<int64_t>());
        case PP_TYPE_FLOAT: return coder<double>::read(from, to.emplace<double>());
        case PP_TYPE_TEXT: return coder<std::string>::read(from, to.emplace<std::string>());
        case PP_TYPE_BYTES: return coder<bytes>::read(from, to.emplace<bytes>());
        default: return from.wrong("that is nothing for a cell of a shareable list");
        }
    }
};

// A fixed number of cells in a named block, each for whatever fits it, as Python's ShareableList. It stays until it is unlinked. Two that change the same cell need a lock.
class shareable_list : public handle<pp_shareable_t, pp_shareable_free> {
  public:
    using handle::handle;

    // Each cell has room for `least` bytes at least; without a name: one is found.
    static shareable_list create(span<const shareable_item> items, polyproc::name name = {}, std::size_t least = 0, failing how = {})
    {
        packed_many data(how);
        for (const shareable_item &item : items) {
            if (!data.add(item)) {
                return {};
            }
        }
        return shareable_list(made<pp_shareable_t>(how, pp_shareable_create, name.get(), data.data(), data.size(), least));
    }
    static shareable_list attach(const std::string &name, bool read_only = false, failing how = {})
    {
        return shareable_list(made<pp_shareable_t>(how, pp_shareable_attach, name.c_str(), read_only));
    }

    std::string name(failing how = {}) const
    {
        char text[256] = {0};
        how(pp_shareable_name, native(), text, sizeof text);
        return text;
    }
    std::size_t size(failing how = {}) const { return asked<std::size_t>(how, pp_shareable_len, native()); }
    // Bytes that a cell has room for.
    std::size_t capacity(std::size_t index, failing how = {}) const { return asked<std::size_t>(how, pp_shareable_capacity, native(), index); }
    shareable_item get(std::size_t index, failing how = {}) const
    {
        pp_message_t *out = made<pp_message_t>(how, pp_shareable_get, native(), index);
        return out == nullptr ? shareable_item() : unpack<shareable_item>(message(out), how);
    }
    shareable_item operator[](std::size_t index) const { return get(index); }
    // too_large: the cell has not so much room.
    void set(std::size_t index, const shareable_item &item, failing how = {}) const
    {
        if (packed data{item, how}) {
            how(pp_shareable_set, native(), index, data.datum());
        }
    }
    // Nothing: no cell holds that.
    std::optional<std::size_t> find(const shareable_item &item, failing how = {}) const
    {
        packed data{item, how};
        std::size_t index = 0;
        bool found = data && how.or_else<PP_NOT_FOUND>(pp_shareable_index_of, native(), data.datum(), &index) == PP_OK;
        return found ? std::optional(index) : std::nullopt;
    }
    std::size_t count(const shareable_item &item, failing how = {}) const
    {
        packed data{item, how};
        return data ? asked<std::size_t>(how, pp_shareable_count, native(), data.datum()) : 0;
    }
    void unlink(failing how = {}) const { how(pp_shareable_unlink, native()); }
};

} // namespace polyproc

#endif
