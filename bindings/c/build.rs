//! Gives the shared library its soname, `libpolyproc.so.<ABI>`: the number is `PP_ABI` in `src/abi.rs` and nowhere else.

fn main() {
    println!("cargo:rerun-if-changed=src/abi.rs");
    println!("cargo:rerun-if-changed=build.rs");
    let source = std::fs::read_to_string("src/abi.rs").expect("src/abi.rs is readable");
    let abi = source.lines().find_map(|line| line.strip_prefix("pub const PP_ABI: u32 = ")?.strip_suffix(';')).expect("src/abi.rs has PP_ABI");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libpolyproc.so.{abi}");
}
