// Dict, set, list, namespace.
#include "thing.hpp"

namespace {

using dict = polyproc::dict<json, json>;
using list = polyproc::list<json>;
using set = polyproc::set<json>;
using polyproc::namespace_;
using polyproc::slice;

std::vector<std::pair<json, json>> pairs_of(const step &step)
{
    std::vector<std::pair<json, json>> out;
    for (const json &pair : step.items(0)) {
        out.emplace_back(pair.items.at(0), pair.items.at(1));
    }
    return out;
}

json pair_of(const json &key, const json &value) { return std::vector<json>{key, value}; }

json dict_items(const dict &from)
{
    auto [keys, values] = from.snapshot();
    std::vector<json> out;
    for (std::size_t i = 0; i < keys.size(); i++) {
        out.push_back(pair_of(keys[i], values[i]));
    }
    return out;
}

json keys_reversed(const dict &from)
{
    std::vector<json> out;
    for (auto &[key, value] : from.items(true)) {
        out.push_back(key);
    }
    return out;
}

const rows<dict> DICT = {
    {"set", [](dict &d, step &step) { d.set(step.arg(0), step.arg(1)); }},
    {"get", [](dict &d, step &step) { return d.get(step.arg(0)); }},
    {"get_or", [](dict &d, step &step) { return d.find(step.arg(0)).value_or(step.arg(1)); }},
    {"contains", [](dict &d, step &step) { return d.contains(step.arg(0)); }},
    {"delete", [](dict &d, step &step) { found(d.erase(step.arg(0))); }},
    {"pop", [](dict &d, step &step) { return d.pop(step.arg(0)); }},
    {"pop_or",
     [](dict &d, step &step) {
         try {
             return d.pop(step.arg(0));
         } catch (const polyproc::not_found_error &) {
             return step.arg(1);
         }
     }},
    {"pop_item",
     [](dict &d, step &) {
         auto [key, value] = d.pop_item();
         return pair_of(key.as<json>(), value.as<json>());
     }},
    {"set_default", [](dict &d, step &step) { return d.set_default(step.arg(0), step.arg(1)); }},
    {"increment", [](dict &d, step &step) { return d.increment(step.arg(0), step.integer(1)); }},
    {"update", [](dict &d, step &step) { d.update(pairs_of(step)); }},
    {"keys", [](dict &d, step &) { return list_of(d.snapshot().first); }},
    {"values", [](dict &d, step &) { return list_of(d.snapshot().second); }},
    {"items", [](dict &d, step &) { return dict_items(d); }},
    {"keys_reversed", [](dict &d, step &) { return keys_reversed(d); }},
    {"len", [](dict &d, step &) { return d.size(); }},
    {"clear", [](dict &d, step &) { d.clear(); }},
    {"get_version",
     [](dict &d, step &step) {
         uint64_t version = 0;
         json value = d.get(step.arg(0), version);
         return pair_of(value, version);
     }},
    {"compare_and_set", [](dict &d, step &step) { return d.compare_and_set(step.arg(0), step.maybe(1), step.arg(2)); }},
    {"wait_key", [](dict &d, step &step) { return d.wait_key(step.arg(0), {}, step.wait); }},
    {"copy", [](dict &d, step &step) { step.made = made_of(d.copy(), DICT); }},
};

const rows<set> SET = {
    {"add", [](set &s, step &step) { return s.insert(step.arg(0)); }},
    {"contains", [](set &s, step &step) { return s.contains(step.arg(0)); }},
    {"discard", [](set &s, step &step) { return s.erase(step.arg(0)); }},
    {"remove", [](set &s, step &step) { s.remove(step.arg(0)); }},
    {"pop", [](set &s, step &) { return s.pop(); }},
    {"len", [](set &s, step &) { return s.size(); }},
    {"clear", [](set &s, step &) { s.clear(); }},
    {"items", [](set &s, step &) { return list_of(s.snapshot()); }},
    {"union", [](set &s, step &step) { return list_of(s.set_union(step.items(0))); }},
    {"intersection", [](set &s, step &step) { return list_of(s.intersection(step.items(0))); }},
    {"difference", [](set &s, step &step) { return list_of(s.difference(step.items(0))); }},
    {"symmetric_difference", [](set &s, step &step) { return list_of(s.symmetric_difference(step.items(0))); }},
    {"update", [](set &s, step &step) { s.update(step.items(0)); }},
    {"intersection_update", [](set &s, step &step) { s.intersection_update(step.items(0)); }},
    {"difference_update", [](set &s, step &step) { s.difference_update(step.items(0)); }},
    {"symmetric_difference_update", [](set &s, step &step) { s.symmetric_difference_update(step.items(0)); }},
    {"is_subset", [](set &s, step &step) { return s.is_subset(step.items(0)); }},
    {"is_superset", [](set &s, step &step) { return s.is_superset(step.items(0)); }},
    {"is_disjoint", [](set &s, step &step) { return s.is_disjoint(step.items(0)); }},
};

slice slice_of(const step &step)
{
    auto at = [&step](std::size_t index) { return step.maybe(index).value_or(PP_NONE); };
    return slice(at(0), at(1), at(2));
}

// Numbers by size, texts by code point, which is the order of their bytes.
bool before(const json &a, const json &b) { return a.is_number() && b.is_number() ? a.number < b.number : a.string < b.string; }

const rows<list> LIST = {
    {"append", [](list &l, step &step) { l.push_back(step.arg(0)); }},
    {"extend", [](list &l, step &step) { l.extend(step.items(0)); }},
    {"insert", [](list &l, step &step) { l.insert(step.integer(0), step.arg(1)); }},
    {"get", [](list &l, step &step) { return l.get(step.integer(0)); }},
    {"set", [](list &l, step &step) { l.set(step.integer(0), step.arg(1)); }},
    {"delete", [](list &l, step &step) { l.erase(step.integer(0)); }},
    {"pop", [](list &l, step &step) { return step.maybe(0) ? l.pop(step.integer(0)) : l.pop_back(); }},
    {"slice", [](list &l, step &step) { return list_of(l.get(slice_of(step))); }},
    {"set_slice", [](list &l, step &step) { l.set(slice_of(step), step.items(3)); }},
    {"delete_slice", [](list &l, step &step) { l.erase(slice_of(step)); }},
    {"index",
     [](list &l, step &step) {
         auto index = l.find(step.arg(0));
         found(index.has_value());
         return *index;
     }},
    {"count", [](list &l, step &step) { return l.count(step.arg(0)); }},
    {"contains", [](list &l, step &step) { return l.contains(step.arg(0)); }},
    {"remove", [](list &l, step &step) { found(l.remove(step.arg(0))); }},
    {"reverse", [](list &l, step &) { l.reverse(); }},
    {"plus", [](list &l, step &step) { return list_of(l.plus(step.items(0))); }},
    {"times", [](list &l, step &step) { return list_of(l.times(step.size(0))); }},
    {"repeat", [](list &l, step &step) { l.repeat(step.size(0)); }},
    {"sort", [](list &l, step &) { l.sort(before); }},
    {"sort_reverse", [](list &l, step &) { l.sort([](const json &a, const json &b) { return before(b, a); }); }},
    {"increment", [](list &l, step &step) { return l.increment(step.integer(0), step.integer(1)); }},
    {"compare_and_set", [](list &l, step &step) { return l.compare_and_set(step.integer(0), step.arg(1), step.arg(2)); }},
    {"items", [](list &l, step &) { return list_of(l.get(slice())); }},
    {"len", [](list &l, step &) { return l.size(); }},
    {"clear", [](list &l, step &) { l.clear(); }},
};

const rows<namespace_> NAMESPACE = {
    {"set", [](namespace_ &n, step &step) { n.set(step.text(0), step.arg(1)); }},
    {"get", [](namespace_ &n, step &step) { return n.get<json>(step.text(0)); }},
    {"delete", [](namespace_ &n, step &step) { found(n.erase(step.text(0))); }},
    {"contains", [](namespace_ &n, step &step) { return n.contains(step.text(0)); }},
    {"names", [](namespace_ &n, step &) { return list_of(n.names()); }},
};

} // namespace

kinds container_kinds()
{
    return {
        {"dict", plain(PP_KIND_DICT, DICT)},
        {"set", plain(PP_KIND_SET, SET)},
        {"list", plain(PP_KIND_LIST, LIST)},
        {"namespace", plain(PP_KIND_NAMESPACE, NAMESPACE)},
    };
}
