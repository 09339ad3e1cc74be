// The fabric: the shared memory that all objects are in.
#ifndef POLYPROC_FABRIC_HPP
#define POLYPROC_FABRIC_HPP

#include "handle.hpp"

#include <vector>

namespace polyproc {

// As in polyproc.h; 0 is the default of each.
struct fabric_options : pp_fabric_options_t {
    fabric_options() : pp_fabric_options_t PP_FABRIC_OPTIONS_INIT {}
};

class fabric : public handle<pp_fabric_t, pp_fabric_free> {
  public:
    // Without a name: a private one, for this process, its children and who gets its descriptor.
    explicit fabric(name name = {}, open mode = open::or_create, failing how = {}) : fabric(name, fabric_options(), mode, how) {}
    fabric(name name, const fabric_options &options, open mode = open::or_create, failing how = {})
        : handle(made<pp_fabric_t>(how, pp_fabric_open, name.get(), detail::opening(name, mode), &options))
    {
    }
    // The one that this process was started into, or the one that set_current named; made if there is none.
    static fabric current(failing how = {}) { return fabric(made<pp_fabric_t>(how, pp_fabric_current), 0); }
    // By a descriptor, which stays the caller's.
    static fabric attach(int32_t fd, failing how = {}) { return fabric(made<pp_fabric_t>(how, pp_fabric_attach, fd), 0); }

    void set_current(failing how = {}) const { how(pp_fabric_set_current, native()); }
    int32_t fd(failing how = {}) const { return asked<int32_t>(how, pp_fabric_fd, native()); }
    // Takes care of what dead members left; how many there were.
    std::size_t sweep(failing how = {}) const { return asked<std::size_t>(how, pp_fabric_sweep, native()); }
    // This process's number in the fabric.
    uint64_t member(failing how = {}) const { return asked<uint64_t>(how, pp_fabric_member, native()); }
    bool is_alive(uint64_t owner, failing how = {}) const { return asked<bool>(how, pp_fabric_is_alive, native(), owner); }
    // Takes the name away from an object; the object stays until its last handle or ticket.
    void remove(const std::string &name, failing how = {}) const { how(pp_fabric_remove, native(), name.c_str()); }
    // What is in the shared memory; `problems` is 0.
    pp_report_t check(failing how = {}) const { return asked<pp_report_t>(how, pp_fabric_check, native()); }
    std::string name_text(failing how = {}) const
    {
        char text[256] = {0};
        how(pp_fabric_name, native(), text, sizeof text);
        return text;
    }
    std::vector<pp_member_t> members(failing how = {}) const { return all<pp_member_t>(pp_fabric_members, how); }
    std::vector<pp_object_t> objects(failing how = {}) const { return all<pp_object_t>(pp_fabric_objects, how); }

  private:
    fabric(pp_fabric_t *taken, int) : handle(taken) {}

    // They may become more between two calls.
    template <class Item, class Function>
    std::vector<Item> all(Function function, failing how) const
    {
        std::vector<Item> items(16);
        for (;;) {
            std::size_t count = 0;
            if (!how(function, native(), items.data(), items.size(), &count)) {
                return {};
            }
            bool whole = count <= items.size();
            items.resize(count);
            if (whole) {
                return items;
            }
        }
    }
};

} // namespace polyproc

#endif
