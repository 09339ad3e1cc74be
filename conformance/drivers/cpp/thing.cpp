#include "thing.hpp"

step::step(const json &line) : args(line["args"].items), with(line["with"])
{
    if (line["do"].kind != json::text) {
        throw fault{"Driver", "a line without `do`"};
    }
    does = line["do"].string;
    wait = timeout_of(line["timeout"]).value_or(polyproc::forever);
}

std::optional<polyproc::timeout> timeout_of(const json &seconds)
{
    return seconds.is_number() ? std::optional(polyproc::timeout(std::chrono::duration<double>(seconds.number))) : std::nullopt;
}

namespace {
const json &of_kind(const step &step, std::size_t index, json::kinds kind, const char *what)
{
    const json &arg = step.arg(index);
    if (arg.kind != kind) {
        throw fault{"Driver", "argument " + std::to_string(index) + " of `" + step.does + "` is no " + what};
    }
    return arg;
}
} // namespace

const json &step::arg(std::size_t index) const
{
    if (index >= args.size()) {
        throw fault{"Driver", "`" + does + "` needs argument " + std::to_string(index)};
    }
    return args[index];
}

int64_t step::integer(std::size_t index) const { return of_kind(*this, index, json::integer, "integer").whole; }

std::optional<int64_t> step::maybe(std::size_t index) const
{
    return index < args.size() && args[index].kind == json::integer ? std::optional(args[index].whole) : std::nullopt;
}

const std::string &step::text(std::size_t index) const { return of_kind(*this, index, json::text, "text").string; }

const std::vector<json> &step::items(std::size_t index) const { return of_kind(*this, index, json::list, "list").items; }

std::chrono::nanoseconds step::seconds(std::size_t index) const
{
    if (!arg(index).is_number()) {
        throw fault{"Driver", "argument " + std::to_string(index) + " of `" + does + "` is no number"};
    }
    return std::chrono::nanoseconds(timeout_of(arg(index))->nanoseconds());
}
