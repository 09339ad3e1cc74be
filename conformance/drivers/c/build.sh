#!/bin/sh
# Builds the C library and the driver on it: build.sh TARGET HERE. Run in the workspace's folder; TARGET is cargo's folder of release programs.
set -eu
target=$1
here=$2
cargo build --quiet --release --package polyproc-c --target-dir "$(dirname "$target")"
# The library under the names by which an installed one is found (cargo xtask install-c).
into=$target/conformance-c
mkdir -p "$into"
ln -sf ../libpolyproc_c.so "$into/libpolyproc.so.1"
ln -sf libpolyproc.so.1 "$into/libpolyproc.so"
cc -std=c11 -D_POSIX_C_SOURCE=200809L -O1 -g -Wall -Wextra -Werror -I bindings/c/include "$here"/*.c -o "$into/driver" -L "$into" -lpolyproc -Wl,-rpath,"$into"
