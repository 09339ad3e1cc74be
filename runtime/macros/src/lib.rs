//! The `#[task]` attribute of polyproc. Use it as `polyproc::task`; its page is there.
//!
//! Knows the names it expands to (`polyproc::Task`, `polyproc::__private`) and nothing else of the runtime.

mod parse;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};

use parse::{Function, Refusal};

/// Makes a function callable in other processes, by name.
///
/// The function stays an ordinary one (`square(7)` runs it here), and its name is also a typed constant,
/// `Task<fn(u64) -> u64>`, which `Process` and `Pool` take. The task's name is the path of the function
/// (`my_crate::jobs::square`); `#[task(name = "square")]` gives it another one.
///
/// Arguments and result need serde's `Serialize` and `Deserialize`, and are owned values: the function runs in
/// another process, so it can borrow nothing from the caller. At most eight arguments.
///
/// ```
/// use polyproc::task;
///
/// /// Attributes, documentation and visibility are kept.
/// #[task]
/// pub fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// #[task(name = "cube")]
/// fn cube(n: u64) -> u64 {
///     n * square(n)
/// }
///
/// assert_eq!(square(7), 49);
/// assert_eq!(cube.name(), "cube");
/// ```
///
/// What cannot run in another process does not compile, and the error says why:
///
/// ```compile_fail
/// #[polyproc::task]
/// async fn later(n: u64) -> u64 { n } // runs on no executor there
/// ```
/// ```compile_fail
/// #[polyproc::task]
/// fn same<T>(value: T) -> T { value } // one name cannot mean many types
/// ```
/// ```compile_fail
/// struct Counter(u64);
/// impl Counter {
///     #[polyproc::task]
///     fn next(&self) -> u64 { self.0 + 1 } // there is no self there
/// }
/// ```
/// ```compile_fail
/// #[polyproc::task]
/// unsafe fn peek(address: usize) -> u8 { 0 } // nobody could keep the promise
/// ```
/// ```compile_fail
/// #[polyproc::task]
/// fn length(text: &str) -> usize { text.len() } // take a String
/// ```
#[proc_macro_attribute]
pub fn task(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(attribute.into(), item.into()).into()
}

fn expand(attribute: Tokens, item: Tokens) -> Tokens {
    match parse::name(attribute).and_then(|name| Ok((name, Function::parse(item.clone())?))) {
        Ok((name, function)) => write(name, &function),
        Err(Refusal { span, sentence }) => {
            // The item itself stays, so that the one mistake is not reported once more at every use of the function.
            quote_spanned! { span => ::core::compile_error!(#sentence); #[allow(dead_code)] #item }
        }
    }
}

fn write(name: Option<proc_macro2::Literal>, function: &Function) -> Tokens {
    let Function { outer, inner, visibility, ident, arguments, output, tokens } = function;
    let ident_text = ident.to_string();
    let last = ident_text.trim_start_matches("r#");
    let name = name.map_or_else(|| quote!(::core::concat!(::core::module_path!(), "::", #last)), |name| quote!(#name));
    let pointer = quote!(fn(#(#arguments),*) #output);
    quote! {
        #(#outer)*
        #[allow(non_upper_case_globals, dead_code)]
        #visibility const #ident: ::polyproc::Task<#pointer> = {
            #(#inner)*
            #tokens

            fn __polyproc_run(
                exchange: &mut ::polyproc::__private::Exchange<'_>,
            ) -> ::core::result::Result<(), ::polyproc::__private::Failure> {
                ::polyproc::__private::run::<#pointer>(#name, #ident, exchange)
            }

            ::polyproc::__private::inventory::submit! {
                ::polyproc::__private::Entry::new(#name, ::core::file!(), ::core::line!(), __polyproc_run)
            }

            ::polyproc::Task::new(#name, #ident)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(attribute: &str, item: &str) -> String {
        expand(attribute.parse().unwrap(), item.parse().unwrap()).to_string()
    }

    #[track_caller]
    fn refused(attribute: &str, item: &str, because: &str) {
        let text = text(attribute, item);
        assert!(text.contains("compile_error"), "{item} was taken: {text}");
        assert!(text.contains(because), "{text} does not say {because:?}");
    }

    #[test]
    fn a_function_becomes_a_constant_of_the_same_name() {
        let text = text("", "/// Doc.\n#[inline] pub(crate) fn square(mut n: u64, (a, b): (u8, Vec<(u8, u8)>)) -> u64 { n }");
        assert!(text.contains("pub (crate) const square : :: polyproc :: Task < fn (u64 , (u8 , Vec < (u8 , u8) >)) -> u64 >"), "{text}");
        let (doc, constant) = (text.find("Doc.").unwrap(), text.find("const square").unwrap());
        let inline = text.find("inline").unwrap();
        assert!(doc < constant && constant < inline, "docs belong to the constant, `inline` to the function: {text}");
        assert!(text.contains("module_path"), "{text}");
    }

    #[test]
    fn the_name_can_be_given() {
        let text = text("name = \"a.b\"", "fn f() {}");
        assert!(text.contains("\"a.b\"") && !text.contains("module_path"), "{text}");
        refused("name = \"\"", "fn f() {}", "empty");
        refused("name = 7", "fn f() {}", "string");
        refused("label = \"x\"", "fn f() {}", "name = ");
    }

    #[test]
    fn commas_inside_types_do_not_split_arguments() {
        let text = text("", "fn f(a: HashMap<u8, fn(u8, u8) -> Vec<u8>>, b: [u8; 2],) -> Result<(), String> where u8: Copy { Ok(()) }");
        assert!(text.contains("fn (HashMap < u8 , fn (u8 , u8) -> Vec < u8 >>, [u8 ; 2]) -> Result < () , String >"), "{text}");
    }

    #[test]
    fn what_cannot_run_elsewhere_is_refused_with_a_reason() {
        refused("", "async fn f() {}", "async");
        refused("", "unsafe fn f() {}", "unsafe");
        refused("", "extern \"C\" fn f() {}", "extern");
        refused("", "fn f<T>(t: T) {}", "generic");
        refused("", "fn f(t: impl Copy) {}", "impl");
        refused("", "fn f() -> impl Copy { 1 }", "impl");
        refused("", "fn f(&self) {}", "method");
        refused("", "fn f(mut self: Box<Self>) {}", "method");
        refused("", "fn f(s: &str) {}", "reference");
        refused("", "fn f(s: Option<&str>) {}", "reference");
        refused("", "fn f() -> &'static str { \"\" }", "reference");
        refused("", "fn f(a:u8,b:u8,c:u8,d:u8,e:u8,f:u8,g:u8,h:u8,i:u8) {}", "eight");
        refused("", "struct S;", "function");
        refused("", "fn f();", "body");
    }
}
