#include "json.hpp"

#include <charconv>
#include <cstdlib>
#include <cstring>

json json::tagged(const std::string &key, json inner)
{
    json out;
    out.kind = object;
    out.members.emplace_back(key, std::move(inner));
    return out;
}

const json &json::operator[](const std::string &key) const
{
    static const json nothing;
    for (const auto &[name, value] : members) {
        if (name == key) {
            return value;
        }
    }
    return nothing;
}

namespace {

struct bad {};

class reader {
  public:
    explicit reader(const char *at) : at_(at) {}

    json value()
    {
        space();
        if (take("null")) {
            return {};
        }
        if (take("true")) {
            return true;
        }
        if (take("false")) {
            return false;
        }
        if (*at_ == '"') {
            return text();
        }
        if (take("[")) {
            return many("]", json::list);
        }
        return take("{") ? many("}", json::object) : number();
    }
    bool at_end()
    {
        space();
        return *at_ == 0;
    }

  private:
    void space() { at_ += std::strspn(at_, " \t\r\n"); }
    bool take(const char *word)
    {
        std::size_t size = std::strlen(word);
        bool is = std::strncmp(at_, word, size) == 0;
        at_ += is ? size : 0;
        return is;
    }
    void must(bool so) const
    {
        if (!so) {
            throw bad();
        }
    }

    json number()
    {
        std::size_t size = std::strspn(at_, "+-0123456789.eE");
        bool whole = std::strcspn(at_, ".eE") >= size;
        char *end = nullptr;
        json out = whole ? json(std::strtoll(at_, &end, 10)) : json(std::strtod(at_, &end));
        must(size > 0 && end == at_ + size);
        at_ = end;
        return out;
    }
    json many(const char *end, json::kinds kind)
    {
        json out;
        out.kind = kind;
        space();
        if (take(end)) {
            return out;
        }
        do {
            space();
            if (kind == json::list) {
                out.items.push_back(value());
            } else {
                std::string key = text();
                space();
                must(take(":"));
                out.members.emplace_back(std::move(key), value());
            }
            space();
        } while (take(","));
        must(take(end));
        return out;
    }
    std::string text()
    {
        std::string out;
        must(take("\""));
        while (!take("\"")) {
            must(*at_ != 0);
            if (*at_ != '\\') {
                out += *at_++;
                continue;
            }
            at_++;
            escaped(out);
        }
        return out;
    }
    void escaped(std::string &to)
    {
        static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
        const char *found = *at_ == 0 ? nullptr : std::strchr(letters, *at_);
        if (found != nullptr) {
            to += meant[found - letters];
            at_++;
            return;
        }
        uint32_t code = unit();
        if (code >= 0xd800 && code < 0xdc00) {
            code = 0x10000 + ((code - 0xd800) << 10) + (unit() - 0xdc00);
        }
        utf8(to, code);
    }
    uint32_t unit()
    {
        must(take("u"));
        uint32_t code = 0;
        auto [end, fault] = std::from_chars(at_, at_ + strnlen(at_, 4), code, 16);
        must(fault == std::errc() && end == at_ + 4);
        at_ = end;
        return code;
    }
    static void utf8(std::string &to, uint32_t code)
    {
        if (code < 0x80) {
            to += static_cast<char>(code);
            return;
        }
        int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        to += static_cast<char>((0xf00 >> more & 0xff) | code >> 6 * more);
        while (more-- > 0) {
            to += static_cast<char>(0x80 | (code >> 6 * more & 0x3f));
        }
    }

    const char *at_;
};

void print_text(std::string &to, const std::string &text)
{
    to += '"';
    for (char letter : text) {
        if (letter == '"' || letter == '\\') {
            to += '\\';
            to += letter;
        } else if (static_cast<unsigned char>(letter) < 0x20) {
            static const char digits[] = "0123456789abcdef";
            to += "\\u00";
            to += digits[letter >> 4];
            to += digits[letter & 15];
        } else {
            to += letter;
        }
    }
    to += '"';
}

// As few digits as lead back to the same number, and always a point or an exponent.
void print_float(std::string &to, double number)
{
    char digits[40];
    auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    std::string text(digits, end);
    to += text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

} // namespace

std::optional<json> parse(const std::string &line)
{
    reader from(line.c_str());
    try {
        json out = from.value();
        return from.at_end() ? std::optional(std::move(out)) : std::nullopt;
    } catch (const bad &) {
        return std::nullopt;
    }
}

void print(std::string &to, const json &what)
{
    const char *comma = "";
    switch (what.kind) {
    case json::null: to += "null"; break;
    case json::boolean: to += what.flag ? "true" : "false"; break;
    case json::integer: to += std::to_string(what.whole); break;
    case json::floating: print_float(to, what.number); break;
    case json::text: print_text(to, what.string); break;
    case json::list:
        to += '[';
        for (const json &item : what.items) {
            to += std::exchange(comma, ",");
            print(to, item);
        }
        to += ']';
        break;
    case json::object:
        to += '{';
        for (const auto &[key, value] : what.members) {
            to += std::exchange(comma, ",");
            print_text(to, key);
            to += ':';
            print(to, value);
        }
        to += '}';
        break;
    }
}
