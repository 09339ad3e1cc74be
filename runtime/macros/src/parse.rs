//! Reads a function just as far as `#[task]` needs: its attributes, name, argument types and output type.
//!
//! Works on plain tokens, so that a program need not wait for a full parser of Rust to be built. Must not know what the
//! function is turned into.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::ToTokens;

const MOST_ARGUMENTS: usize = 8;

/// Why an item cannot be a task, and where that is.
pub(crate) struct Refusal {
    pub(crate) span: Span,
    pub(crate) sentence: String,
}

fn refuse<T>(at: &impl ToTokens, sentence: &str) -> Result<T, Refusal> {
    let span = at.to_token_stream().into_iter().next().map_or_else(Span::call_site, |token| token.span());
    Err(Refusal { span, sentence: format!("#[task]: {sentence}") })
}

/// The parts of a function that the expansion uses.
pub(crate) struct Function {
    /// Attributes that belong to the name: documentation, conditions, lints.
    pub(crate) outer: Vec<TokenStream>,
    /// Attributes that belong to the code: `inline` and every other.
    pub(crate) inner: Vec<TokenStream>,
    pub(crate) visibility: TokenStream,
    pub(crate) ident: Ident,
    pub(crate) arguments: Vec<TokenStream>,
    /// `-> T`, or nothing.
    pub(crate) output: TokenStream,
    /// From the qualifiers to the body, as it was written.
    pub(crate) tokens: TokenStream,
}

/// The name in `#[task(name = "...")]`, if there is one.
pub(crate) fn name(attribute: TokenStream) -> Result<Option<Literal>, Refusal> {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    match &tokens[..] {
        [] => Ok(None),
        [TokenTree::Ident(key), TokenTree::Punct(equals), TokenTree::Literal(value)] if key == "name" && equals.as_char() == '=' => {
            let text = value.to_string();
            if !(text.starts_with('"') || text.starts_with("r\"") || text.starts_with("r#")) {
                return refuse(value, "a task's name is a string: #[task(name = \"resize\")]");
            }
            if text.trim_matches(['r', '#']) == "\"\"" {
                return refuse(value, "a task's name cannot be empty");
            }
            Ok(Some(value.clone()))
        }
        [first, ..] => refuse(first, "the only thing to say here is name = \"...\": #[task(name = \"resize\")]"),
    }
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> Result<Function, Refusal> {
        let tokens = flat(item);
        let mut at = 0;
        let (mut outer, mut inner) = (Vec::new(), Vec::new());
        while let (Some(TokenTree::Punct(hash)), Some(TokenTree::Group(body))) = (tokens.get(at), tokens.get(at + 1)) {
            if hash.as_char() != '#' || body.delimiter() != Delimiter::Bracket {
                break;
            }
            let attribute = quote::quote!(#hash #body);
            if belongs_to_the_name(body) {
                outer.push(attribute);
            } else {
                inner.push(attribute);
            }
            at += 2;
        }
        let start = at;
        if is_ident(tokens.get(at), "pub") {
            at += 1;
            if matches!(tokens.get(at), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis) {
                at += 1;
            }
        }
        let visibility = tokens[start..at].iter().cloned().collect();
        let signature = at;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(word) if word == "fn" => break,
                TokenTree::Ident(word) if word == "const" => at += 1,
                TokenTree::Ident(word) if word == "async" => {
                    return refuse(
                        word,
                        "an async function cannot be a task: a worker has no executor to run it on. \
                         Make it an ordinary function that blocks on the future",
                    );
                }
                TokenTree::Ident(word) if word == "unsafe" => {
                    return refuse(
                        word,
                        "an unsafe function cannot be a task: nobody in the other process could keep its promise. \
                         Wrap it in a safe one",
                    );
                }
                TokenTree::Ident(word) if word == "extern" => {
                    return refuse(word, "an extern function cannot be a task: call it from an ordinary one");
                }
                other => return refuse(other, "only a function can be a task"),
            }
        }
        let Some(TokenTree::Ident(ident)) = tokens.get(at + 1) else {
            return refuse(&tokens.last(), "only a function can be a task");
        };
        at += 2;
        if is_punct(tokens.get(at), '<') {
            return refuse(
                &tokens.get(at),
                "a generic function cannot be a task: other processes find it by one name, which would \
                 mean many types. Write a function for each type, or take an enum",
            );
        }
        let Some(TokenTree::Group(list)) = tokens.get(at) else {
            return refuse(ident, "only a function can be a task");
        };
        let arguments = arguments(list)?;
        if arguments.len() > MOST_ARGUMENTS {
            return refuse(&arguments[MOST_ARGUMENTS], "a task has at most eight arguments: put some of them into a struct");
        }
        at += 1;
        let end = (at..tokens.len()).find(|&i| is_ident(tokens.get(i), "where") || is_body(&tokens[i])).unwrap_or(tokens.len());
        let output: TokenStream = tokens[at..end].iter().cloned().collect();
        owned(&output, "result")?;
        if !tokens.last().is_some_and(is_body) {
            return refuse(ident, "a task needs a body");
        }
        let ident = ident.clone();
        let code = tokens[signature..].iter().cloned().collect();
        Ok(Function { outer, inner, visibility, ident, arguments, output, tokens: code })
    }
}

/// The types between a function's parentheses.
fn arguments(list: &Group) -> Result<Vec<TokenStream>, Refusal> {
    let mut types = Vec::new();
    for argument in split(flat(list.stream())) {
        let colon = (0..argument.len()).find(|&i| lone_colon(&argument, i));
        let pattern = &argument[..colon.unwrap_or(argument.len())];
        if pattern.iter().any(|token| is_ident(Some(token), "self")) {
            return refuse(
                &argument[0],
                "a method cannot be a task: the other process has no `self`. \
                 Make it a function that takes what it needs",
            );
        }
        let Some(colon) = colon else {
            return refuse(&argument[0], "every argument needs a type");
        };
        let kind: TokenStream = argument[colon + 1..].iter().cloned().collect();
        owned(&kind, "argument")?;
        types.push(kind);
    }
    Ok(types)
}

/// A colon that is not half of `::`.
fn lone_colon(tokens: &[TokenTree], i: usize) -> bool {
    is_punct(tokens.get(i), ':') && !is_punct(tokens.get(i + 1), ':') && (i == 0 || !is_punct(tokens.get(i - 1), ':'))
}

/// Splits at commas that stand outside of angle brackets.
fn split(tokens: Vec<TokenTree>) -> Vec<Vec<TokenTree>> {
    let (mut parts, mut part, mut depth, mut after_minus) = (Vec::new(), Vec::new(), 0_u32, false);
    for token in tokens {
        let mark = if let TokenTree::Punct(punct) = &token { punct.as_char() } else { ' ' };
        match mark {
            '<' => depth += 1,
            '>' if !after_minus => depth = depth.saturating_sub(1),
            _ => {}
        }
        after_minus = mark == '-';
        if mark == ',' && depth == 0 {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(token);
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Refuses a type that borrows, or that has no name of its own.
fn owned(kind: &TokenStream, what: &str) -> Result<(), Refusal> {
    for token in kind.clone() {
        match &token {
            TokenTree::Punct(punct) if matches!(punct.as_char(), '&' | '\'') => {
                return refuse(
                    &token,
                    &format!(
                        "the {what} of a task cannot be a reference: it travels to another process, where nothing \
                     can be borrowed. Use an owned type, such as String for &str and Vec<T> for &[T]"
                    ),
                );
            }
            TokenTree::Ident(word) if word == "impl" => {
                return refuse(&token, &format!("the {what} of a task cannot be `impl Trait`: the other process must know its type. Name the type"));
            }
            TokenTree::Group(group) => owned(&group.stream(), what)?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether an attribute says something about the name (documentation, `cfg`, lints) and not about the code.
fn belongs_to_the_name(body: &Group) -> bool {
    match body.stream().into_iter().next() {
        Some(TokenTree::Ident(word)) => ["doc", "cfg", "cfg_attr", "deprecated", "allow", "expect", "warn", "deny", "forbid"].iter().any(|known| word == known),
        _ => false,
    }
}

/// The tokens, with the invisible groups that `macro_rules` leaves around its fragments opened.
fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => all.extend(flat(group.stream())),
            token => all.push(token),
        }
    }
    all
}

fn is_body(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_ident(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

fn is_punct(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}
