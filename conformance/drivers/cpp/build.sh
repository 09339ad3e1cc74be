#!/bin/sh
# Builds the C library and the driver on it by the header for C++: build.sh TARGET HERE. Run in the workspace's folder; TARGET is cargo's folder of release programs.
set -eu
target=$1
here=$2
cargo build --quiet --release --package polyproc-c --target-dir "$(dirname "$target")"
# The library under the names by which an installed one is found (cargo xtask install-c).
into=$target/conformance-cpp
mkdir -p "$into"
ln -sf ../libpolyproc_c.so "$into/libpolyproc.so.1"
ln -sf libpolyproc.so.1 "$into/libpolyproc.so"
flags="-std=c++17 -O1 -g -Wall -Wextra -Werror -I bindings/c/include -I bindings/cpp/include"
# One file after the other, and only those that are older than what they are made of.
newest=$(find bindings/c/include bindings/cpp/include "$here" -name '*.h*' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
for source in "$here"/*.cpp; do
    object=$into/$(basename "$source").o
    if [ ! -e "$object" ] || [ "$source" -nt "$object" ] || [ "$newest" -nt "$object" ]; then
        # shellcheck disable=SC2086
        c++ $flags -c "$source" -o "$object"
    fi
done
c++ "$into"/*.o -o "$into/driver" -L "$into" -lpolyproc -Wl,-rpath,"$into"
