// What the two programs have in common: a trivially copyable structure goes as its bytes.
#include <polyproc.hpp>

struct order {
    int number;
    double price;
};
