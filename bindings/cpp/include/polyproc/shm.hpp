// Named blocks of shared memory, as Python's SharedMemory; they need no fabric, and stay until they are unlinked.
#ifndef POLYPROC_SHM_HPP
#define POLYPROC_SHM_HPP

#include "handle.hpp"

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

} // namespace polyproc

#endif
