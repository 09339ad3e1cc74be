// Values, queues with leases and loans, dicts, lists, sets, namespaces, connections: good and bad input.
#include "check.hpp"

#include <thread>

using namespace std::chrono_literals;
using polyproc::open;

struct order {
    int number;
    double price;
};
struct small {
    char letter;
};
enum class colour : uint8_t { red = 1, blue = 200 };

// A type with a coder of its own.
struct money {
    int64_t cents;
};
template <>
inline constexpr bool polyproc::is_value<money> = true;
template <>
struct polyproc::coder<money> {
    static bool write(const writing &to, const money &from) { return coder<int64_t>::write(to, from.cents); }
    static bool read(reading &from, money &to) { return coder<int64_t>::read(from, to.cents); }
};

static polyproc::queue<polyproc::message> pipe_of(const polyproc::fabric &fabric) { return polyproc::queue<polyproc::message>(fabric); }

// What goes in comes out.
template <class T>
static void round_trip(const polyproc::fabric &fabric, const T &item)
{
    polyproc::queue<T> queue(fabric);
    queue.put(item);
    CHECK(queue.get(0s) == item);
    // And inside of another value.
    polyproc::queue<std::vector<T>> many(fabric);
    many.put({item, item});
    CHECK((many.get(0s) == std::vector<T>{item, item}));
}

static void values(const polyproc::fabric &fabric)
{
    round_trip(fabric, true);
    round_trip<int8_t>(fabric, -128);
    round_trip<uint16_t>(fabric, 65535);
    round_trip<int64_t>(fabric, INT64_MIN);
    round_trip<uint64_t>(fabric, UINT64_MAX);
    round_trip(fabric, 0.1);
    round_trip(fabric, 0.1F);
    round_trip(fabric, colour::blue);
    round_trip(fabric, std::string("tea\0cup", 7));
    round_trip(fabric, std::string());
    round_trip(fabric, polyproc::bytes{std::byte{0}, std::byte{255}});
    round_trip(fabric, std::vector<unsigned char>{1, 2});
    round_trip(fabric, std::vector<bool>{true, false});
    round_trip(fabric, std::vector<std::vector<std::string>>{{"a"}, {}});
    round_trip(fabric, std::array<int, 3>{1, 2, 3});
    round_trip(fabric, std::pair<std::string, int>("a", 1));
    round_trip(fabric, std::tuple<int, double, std::string>(1, 2.5, "c"));
    round_trip(fabric, std::tuple<>());
    round_trip(fabric, std::optional<int>());
    round_trip(fabric, std::optional<int>(7));
    round_trip(fabric, std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
    round_trip(fabric, std::unordered_map<int, std::string>{{1, "a"}});
    round_trip(fabric, std::set<int>{3, 1});
    round_trip(fabric, std::unordered_set<std::string>{"x"});
    polyproc::mutex lock(fabric, "sent");
    round_trip(fabric, lock.ticket());

    polyproc::queue<money> purse(fabric);
    purse.put({250});
    CHECK(polyproc::queue<int>(purse.ticket()).get(0s) == 250);

    // One message, asked for as different types.
    auto any = pipe_of(fabric);
    polyproc::queue<int64_t>(any.ticket()).put(300);
    polyproc::message message = any.get(0s);
    CHECK(message.as<int>() == 300 && message.as<double>() == 300 && message.codec() == PP_CODEC_VALUE && message.data().size() == 3);
    THROWS(wrong_type_error, message.as<uint8_t>());
    THROWS(wrong_type_error, message.as<int8_t>());
    THROWS(wrong_type_error, message.as<std::string>());
    THROWS(wrong_type_error, message.as<std::vector<int>>());
    THROWS(wrong_type_error, message.as<order>());
    SAYS(wrong_type, message.as<bool>(problem));
    polyproc::queue<int>(any.ticket()).put(-1);
    THROWS(wrong_type_error, any.get(0s).as<unsigned>());
    polyproc::queue<std::vector<int>>(any.ticket()).put({1, 2, 3});
    message = any.get(0s);
    CHECK((message.as<std::tuple<int, int, int>>() == std::tuple(1, 2, 3)));
    THROWS(wrong_type_error, (message.as<std::pair<int, int>>()));
    THROWS(invalid_argument_error, polyproc::message().as<int>());
    any.put(message); // and again
    CHECK(any.get(0s).as<std::vector<int>>().size() == 3);
    // What is no UTF-8 is no text.
    SAYS(invalid_argument, polyproc::queue<std::string>(fabric).put("\xff", 0s, problem));
}

static void queues(const polyproc::fabric &fabric)
{
    polyproc::queue_options options;
    options.capacity = 2;
    polyproc::queue<order> orders(fabric, "orders", options, open::create);
    CHECK(orders.capacity() == 2 && orders.size() == 0 && !orders.try_get() && !orders.try_get(1ms));
    THROWS(empty_error, orders.get(0s));
    THROWS(timeout_error, orders.get(1ms));
    SAYS(empty, orders.get(0s, problem));
    SAYS(ok, orders.try_get(0s, problem));
    orders.put({1, 2.5});
    CHECK(orders.try_put({2, 3}) && !orders.try_put({3, 4}) && !orders.try_put({3, 4}, 1ms));
    THROWS(full_error, orders.put({3, 4}, 0s));
    SAYS(full, orders.put({3, 4}, 0s, problem));
    SAYS(ok, orders.try_put({3, 4}, 0s, problem));
    CHECK(orders.get().number == 1 && orders.try_get()->price == 3);
    // A message of another type is not lost.
    polyproc::queue<small> other(orders.ticket());
    other.put({'x'});
    try {
        orders.get();
        CHECK(false);
    } catch (polyproc::wrong_type_error &caught) {
        polyproc::message message = caught.take_message();
        CHECK(message.as<small>().letter == 'x' && !caught.take_message());
    }
    other.put({'y'});
    polyproc::error problem;
    CHECK(!orders.try_get(0s, problem) && problem.status() == polyproc::status::wrong_type && problem.take_message());

    // Built in place.
    auto loan = orders.loan();
    loan->number = 7;
    (*loan).price = 1;
    orders.put(loan);
    CHECK(loan.items().empty() && orders.get().number == 7);
    THROWS(closed_error, orders.put(loan));
    orders.put(orders.loan());
    orders.put(orders.loan());
    auto kept = orders.loan();
    kept->number = 9;
    THROWS(full_error, orders.put(kept, 0s));
    orders.get(), orders.get();
    orders.put(std::move(kept));
    CHECK(orders.get().number == 9);
    auto any = pipe_of(fabric);
    auto bytes = any.loan(3);
    bytes.items()[2] = std::byte{5};
    any.put(bytes);
    CHECK(any.get().as<polyproc::bytes>()[2] == std::byte{5});

    // Many at once; each is made when it is asked for.
    polyproc::queue<int> numbers(fabric);
    std::vector<int> three{1, 2, 3};
    CHECK(numbers.put_many(three) == 3);
    polyproc::queue<std::string>(numbers.ticket()).put("four");
    auto batch = numbers.get_many(10);
    CHECK(batch.size() == 4 && batch[2] == 3);
    THROWS(wrong_type_error, batch[3]);
    CHECK(batch.take(3).as<std::string>() == "four");
    THROWS(empty_error, numbers.get_many(10, 0s));

    // Leases.
    numbers.put(5);
    {
        auto lease = numbers.lease(polyproc::forever, 1h);
        CHECK(lease.value() == 5 && lease.deliveries() == 1 && numbers.leased() == 1 && !lease.data().empty());
        lease.set_progress(50);
        lease.extend(2h);
    } // not acknowledged: it goes back
    auto lease = numbers.lease();
    CHECK(lease.deliveries() == 2);
    lease.nack();
    THROWS(closed_error, lease.ack());
    lease = numbers.lease();
    CHECK(lease.ack_keep().as<int>() == 5 && numbers.leased() == 0);
    THROWS(timeout_error, numbers.lease(0s));
    numbers.put(6);
    numbers.lease().bury();
    CHECK(numbers.buried() == 1 && numbers.get_buried() == 6);
    THROWS(empty_error, numbers.get_buried());
    // A killed holder's comes back.
    polyproc::event ready(fabric);
    numbers.put(8);
    pid_t dead = child([&] {
        auto held = numbers.lease();
        ready.set();
        pause();
    });
    ready.wait();
    kill_child(dead);
    CHECK(numbers.lease().value() == 8);

    options = {};
    options.joinable = 1;
    polyproc::queue<std::string> jobs(fabric, {}, options);
    jobs.put("a");
    jobs.put("b");
    CHECK(!jobs.join(1ms) && jobs.unfinished() == 2);
    std::thread worker([&] {
        std::string all;
        for (const std::string &job : jobs.items()) {
            all += job;
            jobs.task_done();
        }
        CHECK(all == "ab");
    });
    CHECK(jobs.join());
    jobs.close();
    worker.join();
    CHECK(jobs.is_closed());
    THROWS(closed_error, jobs.put("c"));
    THROWS(closed_error, jobs.get());
    SAYS(closed, jobs.try_get(0s, problem));
    jobs.destroy();
    THROWS(gone_error, jobs.get());
}

static void dicts(const polyproc::fabric &fabric)
{
    polyproc::dict<std::string, double> prices(fabric, "prices");
    uint64_t version = prices.set("tea", 2.5);
    prices.update(std::map<std::string, double>{{"cake", 4}, {"salt", 1}});
    CHECK(prices.get("tea") == 2.5 && prices.find("cake") == 4.0 && !prices.find("milk") && prices.contains("salt") && prices.size() == 3);
    THROWS(not_found_error, prices.get("milk"));
    SAYS(not_found, prices.get("milk", problem));
    SAYS(ok, prices.find("milk", problem));
    std::string names;
    double sum = 0;
    for (auto &[name, price] : prices.items()) {
        names += name, sum += price;
    }
    CHECK(names == "teacakesalt" && sum == 7.5);
    for (auto &[name, price] : prices.items(true)) {
        CHECK(name == "salt" && price == 1);
        break;
    }
    auto [keys, all] = prices.snapshot();
    CHECK(keys.size() == 3 && keys[0] == "tea" && all[1] == 4);
    CHECK(prices.compare_and_set("tea", version, 3) && !prices.compare_and_set("tea", version, 4) && !prices.compare_and_set("tea", {}, 4));
    CHECK(prices.compare_and_set("milk", {}, 1) && prices.set_default("milk", 9) == 1 && prices.get("tea", version) == 3);
    CHECK(!prices.compare_and_erase("tea", version + 1000) && prices.compare_and_erase("tea", version));
    CHECK(prices.erase("milk") && !prices.erase("milk") && prices.pop("salt") == 1);
    auto last = prices.pop_item();
    CHECK(last.first.as<std::string>() == "cake" && last.second.as<double>() == 4);
    THROWS(not_found_error, prices.pop_item());
    uint64_t before = prices.version();
    CHECK(!prices.wait_change(before, 1ms));
    THROWS(timeout_error, prices.wait_key("tea", {}, 1ms));
    std::thread sets([&] { prices.set("tea", 5); });
    CHECK(prices.wait_key("tea") == 5 && prices.wait_change(before).value() > before);
    sets.join();
    auto copy = prices.copy();
    prices.clear();
    CHECK(copy.size() == 1 && prices.size() == 0);
    prices.update_from(copy);
    CHECK(prices.size() == 1);
    // A value of another type comes with the error.
    polyproc::dict<std::string, std::string> texts(prices.ticket());
    texts.set("word", "yes");
    THROWS(wrong_type_error, prices.get("word"));
    SAYS(wrong_type, prices.find("word", problem));
    auto going = prices.items();
    CHECK(going.next()->first == "tea");
    THROWS(wrong_type_error, going.next());
    polyproc::dict<int, int> counts(fabric);
    counts.set(1, 1);
    CHECK(counts.increment(1, 4) == 5 && counts.get(1) == 5);
    polyproc::dict<std::string, order> book(fabric);
    book.set("first", {1, 2});
    CHECK(book.get("first").price == 2);
    polyproc::dict<std::map<int, int>, int> maps(fabric);
    THROWS(invalid_argument_error, maps.set({}, 1));

    polyproc::namespace_ shop(fabric, "shop");
    shop.set("open", true);
    shop.set("name", "corner");
    CHECK(shop.get<bool>("open") && shop.get<std::string>("name") == "corner" && shop.contains("open") && shop.names().size() == 2);
    THROWS(not_found_error, shop.get<int>("size"));
    THROWS(wrong_type_error, shop.get<int>("name"));
    CHECK(shop.erase("name") && !shop.erase("name") && !shop.wait_change(shop.version(), 1ms));
}

static void lists(const polyproc::fabric &fabric)
{
    polyproc::list<int> list(fabric, "list");
    std::vector<int> some{5, 3, 9};
    list.extend(some);
    list.push_back(1);
    list.insert(0, 7);
    CHECK(list.size() == 5 && list[0] == 7 && list[-1] == 1 && list.find(9) == 3U && !list.find(100) && list.contains(5) && list.count(5) == 1);
    THROWS(error, list.get(5));
    list.sort();
    int last = 0;
    for (int item : list.items()) {
        CHECK(item > last);
        last = item;
    }
    list.sort([](int a, int b) { return a > b; });
    CHECK(list[0] == 9);
    bool thrown = false;
    try {
        list.sort([](int, int) -> bool { throw std::runtime_error("no order"); });
    } catch (const std::runtime_error &caught) {
        thrown = std::string(caught.what()) == "no order";
    }
    CHECK(thrown && list.size() == 5);
    auto middle = list.get(polyproc::slice(1, 3));
    CHECK(middle.size() == 2 && middle[0] == 7);
    list.set(polyproc::slice(0, 2), some);
    list.erase(polyproc::slice(0, 5));
    CHECK(list.size() == 1 && list.pop_back() == 1);
    THROWS(error, list.pop_back());
    list.extend(some);
    uint64_t version = 0;
    CHECK(list.get(0, version) == 5 && list.set_at_version(0, version, 6) && !list.set_at_version(0, version, 7));
    CHECK(list.compare_and_set(0, 6, 8) && !list.compare_and_set(0, 6, 9) && list.increment(0) == 9);
    CHECK(list.remove(3) && !list.remove(3) && list.pop(0) == 9);
    list.repeat(3);
    list.reverse();
    list.set(1, 4);
    list.erase(0);
    CHECK(list.size() == 2 && list[0] == 4 && !list.wait_change(list.version(), 1ms));
    polyproc::list<std::string>(list.ticket()).push_back("x");
    THROWS(wrong_type_error, list.sort());
    THROWS(wrong_type_error, list[2]);
    list.clear();

    polyproc::set<std::string> set(fabric, "set");
    CHECK(set.insert("a") && !set.insert("a") && set.insert("b") && set.contains("a") && set.size() == 2 && set.snapshot()[1] == "b");
    std::string all;
    for (auto &element : set.items()) {
        all += element;
    }
    CHECK(all == "ab" && set.erase("a") && !set.erase("a"));
    THROWS(not_found_error, set.remove("a"));
    CHECK(set.pop() == "b" && !set.wait_change(set.version(), 1ms));
    THROWS(not_found_error, set.pop());
    set.clear();
}

static void connections()
{
    auto [a, b] = polyproc::connection::pipe();
    CHECK(!b.poll() && !b.poll(1ms));
    a.send(std::tuple(1, std::string("two")));
    a.send("three");
    a.send(order{4, 5});
    CHECK(b.poll(1s) && (b.recv<std::tuple<int, std::string>>() == std::tuple(1, std::string("two"))) && b.recv<std::string>() == "three");
    CHECK(polyproc::wait({polyproc::waitable(b), polyproc::waitable(a)}, 1s) == std::vector<std::size_t>{0});
    CHECK(b.recv<order>().number == 4 && b.fd() >= 0);
    CHECK(polyproc::wait({polyproc::waitable(b)}, 1ms).empty());
    THROWS(timeout_error, b.recv(1ms));
    a.close();
    CHECK(a.is_closed());
    THROWS(closed_error, b.recv());
    THROWS(closed_error, a.send(1));

    polyproc::peering_options options;
    options.key = "secret";
    options.key_len = 6;
    polyproc::listener listener({}, options);
    polyproc::connection client;
    std::thread connects([&] { client = polyproc::connection::connect(listener.address(), options, 10s); });
    auto server = listener.accept(10s);
    connects.join();
    client.send(42);
    CHECK(server.recv<int>(10s) == 42);
    THROWS(timeout_error, listener.accept(1ms));
    listener.close();
    SAYS(closed, listener.accept(0s, problem));
    THROWS(error, polyproc::connection::connect("no address at all", {}, 1ms));
}

int main()
{
    polyproc::fabric fabric = check_fabric();
    values(fabric);
    queues(fabric);
    dicts(fabric);
    lists(fabric);
    connections();
    CHECK(fabric.check().problems == 0);
    return 0;
}
