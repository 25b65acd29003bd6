//! The items of a Rust file by name, each in a form in which only the code counts.
//!
//! A function of a type is `Type::name`, whichever trait it is of. Comments, attributes, visibility, imports, tests
//! and layout do not count.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::Said;

/// Items by name: the tokens of each, as one line.
pub(crate) type Items = BTreeMap<String, String>;

/// The items of a file.
pub(crate) fn items(text: &str) -> Said<Items> {
    let tokens: TokenStream = text.parse().map_err(|error| format!("it is no Rust: {error}"))?;
    let mut items = Items::new();
    collect("", tokens, &mut items);
    Ok(items)
}

/// Adds the items of a file or of an `impl`, whose names begin with `of`.
fn collect(of: &str, tokens: TokenStream, items: &mut Items) {
    let mut item = Vec::new();
    for token in tokens {
        let ends = match &token {
            // The value of a constant may have braces, and ends at its semicolon.
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !ends_by_semicolon(&item),
            TokenTree::Punct(sign) => sign.as_char() == ';',
            _ => false,
        };
        item.push(token);
        if ends {
            add(of, &without_attributes(std::mem::take(&mut item)), items);
        }
    }
}

/// An item without its attributes, or nothing if it is one for tests.
fn without_attributes(item: Vec<TokenTree>) -> Vec<TokenTree> {
    let mut rest = Vec::new();
    let mut tokens = item.into_iter();
    while let Some(token) = tokens.next() {
        if !is_sign(&token, '#') {
            rest.push(token);
            continue;
        }
        // The attributes of a whole file have an exclamation mark more.
        let attribute = tokens.by_ref().find(|token| !is_sign(token, '!'));
        if attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]") {
            return Vec::new();
        }
    }
    rest
}

fn is_sign(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn ends_by_semicolon(item: &[TokenTree]) -> bool {
    let words = words(item);
    let first = words.iter().find(|word| word.chars().all(char::is_alphabetic)).map_or("", String::as_str);
    ["const", "static", "type", "use"].contains(&first) && !words.iter().any(|word| word == "fn")
}

/// Adds one item, or those of one `impl`.
fn add(of: &str, item: &[TokenTree], items: &mut Items) {
    let words = words(item);
    let after = |keyword: &str| words.iter().position(|word| word == keyword).and_then(|at| words.get(at + 1));
    let first = words.first().map_or("", String::as_str);
    if ["", "use", "mod"].contains(&first) {
        return;
    }
    if first == "impl" {
        if let Some(TokenTree::Group(body)) = item.last() {
            collect(&format!("{}::", type_of(&words)), body.stream(), items);
        }
        return;
    }
    let keywords = ["fn", "struct", "enum", "trait", "type", "const", "static"];
    let name = match keywords.iter().find_map(|keyword| after(keyword)) {
        Some(name) => format!("{of}{name}"),
        None => format!("{of}{first}!"),
    };
    let code = plain(item.iter().cloned().collect());
    // Two of one name, as two `const _`, count as one.
    items.entry(name).and_modify(|known| known.push_str(&code)).or_insert(code);
}

/// The type that an `impl` is for: its last name in front of its own generics.
fn type_of(words: &[String]) -> String {
    let mut depth = 0;
    let mut name = String::new();
    for pair in words.windows(2) {
        match pair[1].as_str() {
            "<" => depth += 1,
            ">" if pair[0] != "-" => depth -= 1,
            "where" => break,
            "for" if depth == 0 => name.clear(),
            word if depth == 0 && word.starts_with(char::is_alphabetic) => word.clone_into(&mut name),
            _ => {}
        }
    }
    name
}

/// The names and signs of an item outside of its groups, from its keyword on.
fn words(item: &[TokenTree]) -> Vec<String> {
    let words = item.iter().filter_map(|token| match token {
        TokenTree::Group(_) => None,
        TokenTree::Ident(word) if word == "pub" => None,
        other => Some(other.to_string()),
    });
    words.collect()
}

/// The code as one line: without attributes, visibility, and commas before a closing bracket.
fn plain(tokens: TokenStream) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut tokens = without_attributes(tokens.into_iter().collect()).into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "pub" => {
                let _ = tokens.next_if(
                    |next| matches!(next, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis),
                );
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    _ => ("(", ")"),
                };
                words.push(format!("{open} {} {close}", plain(group.stream()).trim_end_matches(" ,")));
            }
            other => words.push(other.to_string()),
        }
    }
    words.join(" ")
}

#[test]
fn items_are_named_by_their_type_and_only_code_counts() {
    let text = "//! A file.\nuse a::b;\n/// One.\n#[derive(Debug)]\npub(crate) struct One<T> { a: u8, }\n\
                impl<T: Fn() -> u8> Drop for One<T> {\n    fn drop(&mut self) { self.a = 1; /* so */ }\n}\n\
                const TWO: [u8; 2] = [1, 2];\nconst fn two() -> impl Iterator<Item = u8> {}\n#[cfg(test)]\nfn a() {}\n";
    let items = items(text).expect("it is Rust");
    assert_eq!(items.keys().collect::<Vec<_>>(), ["One", "One::drop", "TWO", "two"]);
    assert_eq!(items["One"], "struct One < T > { a : u8 }");
}
