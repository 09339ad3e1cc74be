// Processes: of a command, or of a task of this program or another.
#ifndef POLYPROC_PROCESS_HPP
#define POLYPROC_PROCESS_HPP

#include "fabric.hpp"
#include "message.hpp"
#include "time.hpp"

namespace polyproc {

// As in polyproc.h; 0 is the default of each.
struct process_options : pp_process_options_t {
    process_options() : pp_process_options_t PP_PROCESS_OPTIONS_INIT {}
};

// How a process ended.
struct exit_status {
    int32_t code = 0; // negative: minus the signal that ended it
    error failure;    // why its task did not return; false if it did
    bool success() const noexcept { return code == 0; }
};

// A process that was started here. The end of the handle does not end it.
class process : public handle<pp_process_t, pp_process_free> {
  public:
    using handle::handle;

    static process command(const std::vector<std::string> &words, const process_options &options = {}, failing how = {})
    {
        std::vector<const char *> texts;
        for (const std::string &word : words) {
            texts.push_back(word.c_str());
        }
        texts.push_back(nullptr);
        return process(made<pp_process_t>(how, pp_process_start_command, texts.data(), static_cast<const pp_process_options_t *>(&options)));
    }
    // A task with these arguments, any values.
    template <class... Arguments>
    static process task(const std::string &name, const process_options &options, const Arguments &...arguments)
    {
        return task_of(failing(), name, options, arguments...);
    }
    template <class... Arguments>
    static process task(error &problem, const std::string &name, const process_options &options, const Arguments &...arguments)
    {
        return task_of(failing(problem), name, options, arguments...);
    }

    uint32_t pid() const noexcept { return pp_process_pid(native()); }
    std::string name() const
    {
        const char *name = pp_process_name(native());
        return name == nullptr ? std::string() : std::string(name);
    }
    bool is_alive() const noexcept { return pp_process_is_alive(native()); }
    // Readable when the process has ended.
    int32_t fd(failing how = {}) const { return asked<int32_t>(how, pp_process_fd, native()); }
    // timeout_error: it has not ended in that time.
    exit_status join(timeout wait = forever, failing how = {}) const
    {
        exit_status out;
        pp_error_t *failure = nullptr;
        if (how(pp_process_join, native(), wait.nanoseconds(), &out.code, &failure) && failure != nullptr) {
            out.failure = error(pp_error_kind(failure), failure);
        }
        return out;
    }
    void interrupt(failing how = {}) const { how(pp_process_interrupt, native()); }
    void terminate(failing how = {}) const { how(pp_process_terminate, native()); }
    void kill(failing how = {}) const { how(pp_process_kill, native()); }
    // SIGTERM, and after the grace SIGKILL; with `tree`, for all that it started as well. Waits; its exit code.
    int32_t terminate_within(std::chrono::nanoseconds grace, bool tree = false, failing how = {}) const
    {
        return asked<int32_t>(how, pp_process_terminate_within, native(), int64_t{grace.count()}, tree);
    }
    // This process's end of a stream that was PP_STDIO_PIPE; the caller closes it.
    int32_t take_pipe(int32_t stream, failing how = {}) const { return asked<int32_t>(how, pp_process_take_pipe, native(), stream); }

  private:
    template <class... Arguments>
    static process task_of(failing how, const std::string &name, const process_options &options, const Arguments &...arguments)
    {
        packed_many data(how);
        if (!(data.add(arguments) && ...)) {
            return {};
        }
        return process(made<pp_process_t>(how, pp_process_start_task, name.c_str(), data.data(), data.size(), static_cast<const pp_process_options_t *>(&options)));
    }
};

} // namespace polyproc

#endif
