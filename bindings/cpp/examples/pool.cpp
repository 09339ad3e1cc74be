// A pool whose tasks are lambdas. Each worker is this program started again; one is killed in the middle of its work, and nothing but the call that it was in is lost.
//
//     c++ -std=c++17 pool.cpp $(pkg-config --cflags --libs polyproc) -o pool && ./pool
#include <polyproc.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>

using namespace std::chrono_literals;

int main()
{
    polyproc::task("square", [](int n) {
        if (n == 13) {
            std::raise(SIGKILL); // as the kernel does for lack of memory
        }
        return n * n;
    });
    polyproc::task("longest", [](const std::vector<std::string> &words) {
        return *std::max_element(words.begin(), words.end(), [](auto &a, auto &b) { return a.size() < b.size(); });
    });
    polyproc::main(); // all tasks first, then this line: a worker works here, and never comes behind it

    polyproc::pool pool(2);
    std::printf("7 * 7 is %d\n", pool.call<int>("square", 7));
    std::printf("the longest is %s\n", pool.call<std::string>("longest", std::vector<std::string>{"tea", "coffee"}).c_str());

    std::vector<int> numbers(20);
    for (int i = 0; i < 20; i++) {
        numbers[i] = i;
    }
    auto squares = pool.submit_each<int>("square", numbers);
    int sum = 0;
    for (std::size_t i = 0; i < squares.size(); i++) {
        try {
            sum += squares.get(i, 60s);
        } catch (const polyproc::worker_died_error &died) {
            std::printf("%zu: task %s, killed by signal %d\n", i, died.task().c_str(), died.signal());
        }
    }
    std::printf("the others sum up to %d\n", sum);
    return sum == 2470 - 169 ? 0 : 1;
}
