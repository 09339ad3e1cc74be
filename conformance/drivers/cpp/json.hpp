// JSON: a line that was read, as a tree, and the text of one. Knows nothing of what it means.
#ifndef DRIVER_JSON_HPP
#define DRIVER_JSON_HPP

#include <polyproc.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

struct json {
    enum kinds { null, boolean, integer, floating, text, list, object };

    kinds kind = null;
    bool flag = false;
    int64_t whole = 0;
    double number = 0; // of an integer too
    std::string string;
    std::vector<json> items;                            // of a list
    std::vector<std::pair<std::string, json>> members;  // of an object
    std::optional<polyproc::ticket> ticket;             // of an {"object": kind} that was read from a value

    json() = default;
    json(bool flag) : kind(boolean), flag(flag) {} // NOLINT: answers are what they are
    json(double number) : kind(floating), number(number) {} // NOLINT
    json(std::string text) : kind(json::text), string(std::move(text)) {} // NOLINT
    json(const char *text) : json(std::string(text)) {} // NOLINT
    json(std::vector<json> items) : kind(list), items(std::move(items)) {} // NOLINT
    // What has no 64 bits with a sign is {"int": digits}.
    template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
    json(T number) : kind(integer), whole(static_cast<int64_t>(number)), number(static_cast<double>(number)) // NOLINT
    {
        if (std::is_unsigned_v<T> && whole < 0) {
            *this = tagged("int", std::to_string(number));
        }
    }
    static json tagged(const std::string &key, json inner);

    // A member, or a null if there is none.
    const json &operator[](const std::string &key) const;
    bool is_number() const { return kind == integer || kind == floating; }
};

// Nothing: the line is no JSON.
std::optional<json> parse(const std::string &line);
void print(std::string &to, const json &what);

#endif
