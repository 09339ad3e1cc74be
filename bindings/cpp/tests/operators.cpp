// Operators of sets, sums and products of lists, shareable lists, limits of a receive, ranges of cells and their types behind tickets: good and bad input.
#include "check.hpp"

#include <algorithm>

using namespace std::chrono_literals;

template <class T>
static std::vector<T> all(const polyproc::batch<T> &of)
{
    return std::vector<T>(of.begin(), of.end());
}

static void sets(const polyproc::fabric &fabric)
{
    using list = std::vector<int>;
    polyproc::set<int> a(fabric), b(fabric);
    a.update(list{1, 2, 3});
    b.update(std::set<int>{3, 4});
    CHECK((all(a.set_union(b)) == list{1, 2, 3, 4}) && (all(a.set_union(std::array<int, 2>{9, 1})) == list{1, 2, 3, 9}));
    CHECK((all(a.intersection(b)) == list{3}) && (all(a.difference(b)) == list{1, 2}) && (all(a.symmetric_difference(b)) == list{1, 2, 4}));
    CHECK(!a.is_subset(b) && a.is_subset(list{1, 2, 3, 4}) && a.is_superset(list{}) && !a.is_superset(b) && a.is_disjoint(list{7}) && !a.is_disjoint(b));
    a.intersection_update(list{2, 3});
    CHECK((all(a.snapshot()) == list{2, 3}));
    a.symmetric_difference_update(b);
    CHECK((all(a.snapshot()) == list{2, 4}));
    a.difference_update(a);
    CHECK(a.size() == 0);
    polyproc::set<int> none;
    THROWS(invalid_argument_error, a.set_union(none));
    THROWS(invalid_argument_error, none.update(a));
    polyproc::error problem;
    CHECK(a.difference(none, problem).empty() && problem.status() == polyproc::status::invalid_argument);
    CHECK(!a.is_subset(none, problem) && problem.status() == polyproc::status::invalid_argument);
    a.update(none, problem);
    CHECK(problem.status() == polyproc::status::invalid_argument);
    a.update(b, problem);
    CHECK(!problem && a.size() == 2);
    b.destroy();
    THROWS(gone_error, a.set_union(b));
    THROWS(gone_error, a.is_superset(b));
    polyproc::set<std::string> texts(fabric);
    SAYS(invalid_argument, texts.update(std::vector<std::string>{"fine", "\xff"}, problem));
    CHECK(texts.size() == 0);
}

static void lists(const polyproc::fabric &fabric)
{
    polyproc::list<std::string> list(fabric);
    list.extend(std::vector<std::string>{"a", "b"});
    CHECK((all(list.plus(std::vector<std::string>{"c"})) == std::vector<std::string>{"a", "b", "c"}) && list.size() == 2);
    CHECK(list.times(3).size() == 6 && list.times(3)[5] == "b" && list.times(0).empty());
    SAYS(too_large, list.times(SIZE_MAX / 2, problem));
    list.destroy();
    THROWS(gone_error, list.plus({}));
}

static void receives()
{
    auto [a, b] = polyproc::connection::pipe();
    a.send(polyproc::bytes(17));
    SAYS(too_large, b.recv_max<polyproc::bytes>(16, 1s, problem));
    CHECK(b.recv_max<polyproc::bytes>(17, 1s).size() == 17);
    THROWS(timeout_error, b.recv_max(17, 0s));
}

static void shareables()
{
    using item = polyproc::shareable_item;
    std::vector<item> items{std::string("tea"), int64_t{-1}, 2.5, true, nullptr, polyproc::bytes{std::byte{7}}};
    auto list = polyproc::shareable_list::create(items, {}, 16);
    auto same = polyproc::shareable_list::attach(list.name());
    auto other = polyproc::shareable_list::attach(list.name(), true);
    CHECK(same.size() == items.size() && same.capacity(0) >= 16);
    for (std::size_t i = 0; i < items.size(); i++) {
        CHECK(same[i] == items[i] && same.find(items[i]) == i && same.count(items[i]) == 1);
    }
    list.set(1, std::string("sixteen bytes it"));
    CHECK(other.get(1) == item(std::string("sixteen bytes it")) && !same.find(item(int64_t{-1})));
    SAYS(too_large, list.set(1, std::string(100, 'x'), problem));
    THROWS(invalid_argument_error, list.get(6));
    THROWS(invalid_argument_error, other.set(0, nullptr));
    list.unlink();
    THROWS(not_found_error, list.unlink());
    THROWS(not_found_error, polyproc::shareable_list::attach(list.name()));
    THROWS(invalid_argument_error, polyproc::shareable_list().get(0));
    auto block = polyproc::shared_memory::create(4096);
    THROWS(wrong_type_error, polyproc::shareable_list::attach(block.name()));
    block.unlink();
}

struct point {
    float x, y;
};

static void blocks(const polyproc::fabric &fabric)
{
    using column = polyproc::block<double>;
    polyproc::queue<std::tuple<std::string, column>> queue(fabric);
    std::vector<double> numbers(5000, 0.5);
    queue.put({"prices", {numbers}});
    CHECK(std::get<1>(queue.get(0s)).values == numbers);
    queue.put({"none", {}});
    CHECK(std::get<1>(queue.get(0s)).values.empty());
    polyproc::dict<std::string, column> dict(fabric); // there it is bytes like any other
    dict.set("a", {{1, 2}});
    CHECK((dict.get("a") == column{{1, 2}}));
    polyproc::dict<std::string, polyproc::block<float>> other(dict.ticket());
    THROWS(wrong_type_error, other.get("a"));
    polyproc::dict<std::string, polyproc::block<point>> structures(dict.ticket());
    structures.set("a", {{{1, 2}, {3, 4}}});
    CHECK(structures.get("a").values[1].y == 4);
    THROWS(wrong_type_error, dict.get("a"));
    polyproc::dict<std::string, int>(dict.ticket()).set("a", 5);
    THROWS(wrong_type_error, dict.get("a"));
}

static void cells(const polyproc::fabric &fabric)
{
    polyproc::array<int64_t> array(fabric, 5);
    std::vector<int64_t> some{1, 2, 3}, back(3);
    array.write(2, some);
    array.read(2, back);
    CHECK(back == some && array[1] == 0 && array[4] == 3);
    THROWS(invalid_argument_error, array.write(3, some));
    CHECK(array[3] == 2);
    THROWS(invalid_argument_error, array.read(5, back));
    CHECK((polyproc::array<int64_t>(array.ticket())[4] == 3));
    THROWS(wrong_type_error, polyproc::array<double>(array.ticket()));
    THROWS(wrong_type_error, polyproc::array<int>(array.ticket()));
    THROWS(wrong_type_error, polyproc::value<int64_t>(array.ticket()));
    SAYS(wrong_type, polyproc::array<uint64_t>(array.ticket(), problem));
    CHECK(fabric.id().size() == 32);
}

int main()
{
    polyproc::fabric fabric = check_fabric();
    sets(fabric);
    lists(fabric);
    receives();
    shareables();
    blocks(fabric);
    cells(fabric);
    CHECK(fabric.check().problems == 0);
    return 0;
}
