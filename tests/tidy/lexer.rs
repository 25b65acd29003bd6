//! Just enough of Rust's grammar to read our own sources: which words a file has, where its functions are, and
//! which parts exist only in tests.
//!
//! `proc-macro2` takes the text apart. From there on nothing is parsed: keywords are looked for and brackets are
//! matched, which holds for code that rustfmt has formatted and the compiler has accepted.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// One word, number or punctuation mark, and the line it is on, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// One function, from the line of its `fn` to the line of its last brace.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    /// The type and, if there is one, the trait of the block that it stands in.
    pub(crate) owners: Vec<&'a str>,
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
}

/// The words and marks of a source. Comments, strings and characters are no tokens here, and `::`, `->` and `=>`
/// are one token each.
///
/// # Panics
///
/// If Rust itself could not take the source apart.
pub(crate) fn take_apart(source: &str) -> Vec<(String, usize)> {
    let stream: TokenStream = source.parse().unwrap_or_else(|error| panic!("not Rust: {error}:\n{source}"));
    let mut words = Vec::new();
    flatten(stream, &mut words);
    words
}

fn flatten(stream: TokenStream, words: &mut Vec<(String, usize)>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        let (line, mut length) = (trees[at].span().start().line, 1);
        match &trees[at] {
            TokenTree::Punct(mark) if mark.as_char() == '#' && doc_comment(&trees[at..]) > 0 => {
                length = doc_comment(&trees[at..]);
            }
            TokenTree::Punct(mark) => {
                let two = trees.get(at + 1).map_or_else(String::new, |next| format!("{mark}{next}"));
                if mark.spacing() == Spacing::Joint && ["::", "->", "=>"].contains(&two.as_str()) {
                    words.push((two, line));
                    length = 2;
                } else {
                    words.push((mark.to_string(), line));
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                words.push((open.to_owned(), group.span_open().start().line));
                flatten(group.stream(), words);
                words.push((close.to_owned(), group.span_close().start().line));
            }
            TokenTree::Literal(literal) if literal.to_string().ends_with(['"', '\'', '#']) => {}
            word => words.push((word.to_string(), line)),
        }
        at += length;
    }
}

/// How many of the next trees are a doc comment, which reaches us as the attribute `#[doc = "…"]`.
fn doc_comment(trees: &[TokenTree]) -> usize {
    let inner = usize::from(matches!(trees.get(1), Some(TokenTree::Punct(mark)) if mark.as_char() == '!'));
    let Some(TokenTree::Group(group)) = trees.get(1 + inner) else { return 0 };
    let inside: Vec<String> = group.stream().into_iter().take(2).map(|tree| tree.to_string()).collect();
    if inside == ["doc", "="] { 2 + inner } else { 0 }
}

/// The findings of [`take_apart`], as tokens.
pub(crate) fn tokens(words: &[(String, usize)]) -> Vec<Token<'_>> {
    words.iter().map(|(text, line)| Token { text, line: *line }).collect()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Splits off everything under `#[cfg(test)]`: the tokens that remain, and how many lines went.
pub(crate) fn without_tests<'a>(tokens: &[Token<'a>]) -> (Vec<Token<'a>>, usize) {
    let mut remaining = Vec::new();
    let mut lines = 0;
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(&tokens[at..]) {
            let end = end_of_item(tokens, at);
            lines += tokens[end - 1].line + 1 - tokens[at].line;
            at = end;
        } else {
            remaining.push(tokens[at]);
            at += 1;
        }
    }
    (remaining, lines)
}

fn is_test_attribute(tokens: &[Token<'_>]) -> bool {
    let opens_with = |words: &[&str]| tokens.iter().map(|token| token.text).take(words.len()).eq(words.iter().copied());
    opens_with(&["#", "[", "cfg", "(", "test", ")", "]"])
        || opens_with(&["#", "[", "cfg", "(", "all", "(", "test", ","])
}

/// The index after the item, field or statement whose first attribute is at `start`.
fn end_of_item(tokens: &[Token<'_>], start: usize) -> usize {
    const ENDS_AT_SEMICOLON: [&str; 5] = ["use", "const", "static", "type", "let"];
    const ENDS_AT_BRACE: [&str; 10] =
        ["fn", "mod", "impl", "struct", "enum", "trait", "unsafe", "async", "extern", "macro_rules"];
    let mut at = start;
    while tokens.get(at).is_some_and(|token| token.text == "#") {
        at = matching_bracket(tokens, at + 1) + 1;
    }
    if tokens.get(at).is_some_and(|token| token.text == "pub") {
        at += 1;
        if tokens.get(at).is_some_and(|token| token.text == "(") {
            at = matching_bracket(tokens, at) + 1;
        }
    }
    let first = tokens.get(at).map_or("", |token| token.text);
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at + 1,
            "," if !ENDS_AT_SEMICOLON.contains(&first) && !ENDS_AT_BRACE.contains(&first) => {
                return at + 1;
            }
            "}" | ")" | "]" => return at,
            "{" if !ENDS_AT_SEMICOLON.contains(&first) => return end_of_bracket(tokens, at),
            "{" | "(" | "[" => at = end_of_bracket(tokens, at),
            _ => at += 1,
        }
    }
    tokens.len()
}

fn end_of_bracket(tokens: &[Token<'_>], open: usize) -> usize {
    (matching_bracket(tokens, open) + 1).min(tokens.len())
}

/// The index of the bracket that closes the one at `open`, or of the last token.
pub(crate) fn matching_bracket(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

/// Every function that has a name, with those inside other functions, in the order of their first
/// lines.
pub(crate) fn functions<'a>(tokens: &[Token<'a>]) -> Vec<Function<'a>> {
    let mut functions = Vec::new();
    let mut blocks: Vec<(usize, Vec<&'a str>)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        blocks.retain(|(end, _)| at < *end);
        let next = tokens.get(at + 1).map_or("", |token| token.text);
        if token.text == "fn" && next.bytes().all(is_word) {
            let owners = blocks.last().map_or_else(Vec::new, |(_, owners)| owners.clone());
            let last_line = tokens[end_of_signature_or_body(tokens, at)].line;
            functions.push(Function { name: next, owners, first_line: token.line, last_line });
        } else if opens_block_of_functions(tokens, at) {
            let body =
                tokens[at..].iter().position(|token| token.text == "{").map_or(tokens.len() - 1, |body| at + body);
            blocks.push((matching_bracket(tokens, body), owners(&tokens[at..body])));
        }
    }
    functions
}

fn end_of_signature_or_body(tokens: &[Token<'_>], start: usize) -> usize {
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at,
            "{" => return matching_bracket(tokens, at),
            "(" | "[" => at = matching_bracket(tokens, at) + 1,
            _ => at += 1,
        }
    }
    tokens.len() - 1
}

/// Whether an `impl` or `trait` block starts here. The `impl` of a type stands in mid-expression.
fn opens_block_of_functions(tokens: &[Token<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).map_or(";", |before| tokens[before].text);
    match tokens[at].text {
        "trait" => true,
        "impl" => matches!(before, ";" | "{" | "}" | "]" | "unsafe"),
        _ => false,
    }
}

/// From `impl<T> Trait for Type<T> where …`: the last word of each path, type first.
fn owners<'a>(header: &[Token<'a>]) -> Vec<&'a str> {
    let mut owners = vec![""];
    let mut depth = 0_usize;
    for (at, token) in header.iter().enumerate().skip(1) {
        match token.text {
            "<" => depth += 1,
            ">" => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            "where" => break,
            ":" if header[0].text == "trait" => break,
            "for" if header.get(at + 1).is_none_or(|next| next.text != "<") => owners.insert(0, ""),
            word if word.bytes().all(is_word) => owners[0] = word,
            _ => {}
        }
    }
    owners
}

#[cfg(test)]
fn joined(source: &str) -> String {
    let words = take_apart(source);
    words.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn comments_strings_and_characters_are_no_code() {
    let cases = [
        ("a // b", "a"),
        ("//! File.\n\n/// Item.\na /** c */ b", "a b"),
        ("a /* b /* c */ d */ e", "a e"),
        ("\"unsafe { \\\" }\" a", "a"),
        ("r#\"quote \" inside\"# a", "a"),
        ("br##\"x\"# y\"## a", "a"),
        ("b\"x\" c\"y\" cr\"z\" a", "a"),
        ("'{' '\\'' '\\u{7d}' 'ß' b'}' a", "a"),
        ("f(\"//\", x, 7) // y", "f ( , x , 7 )"),
    ];
    for (source, expected) in cases {
        assert_eq!(joined(source), expected, "of {source}");
    }
}

#[test]
fn lifetimes_labels_and_attributes_are_code() {
    assert_eq!(
        joined("fn f<'a>() -> &'a str { 'turn: loop {} }"),
        "fn f < ' a > ( ) -> & ' a str { ' turn : loop { } }"
    );
    assert_eq!(joined("#[doc(hidden)] a::b"), "# [ doc ( hidden ) ] a :: b");
}

#[test]
fn tokens_know_their_lines_behind_comments_of_several_lines() {
    let words = take_apart("/* one\n two */ a\n\"three\nfour\"; b");
    assert_eq!(
        tokens(&words),
        [Token { text: "a", line: 2 }, Token { text: ";", line: 4 }, Token { text: "b", line: 4 }]
    );
}

#[test]
fn test_parts_are_split_off_whole() {
    let cases = [
        ("a();\n#[cfg(test)]\nmod tests {\n    fn t() {}\n}\nb();", "a ( ) ; b ( ) ;", 4),
        ("#[cfg(test)] #[allow(x)] use a::{b, c}; d", "d", 1),
        ("#[cfg(all(test, not(loom)))] pub(crate) fn f<A, B>() -> [u8; 2] { }\nd", "d", 1),
        ("S { #[cfg(test)] field: u8, d }", "S { d }", 1),
        ("S { #[cfg(test)] field: u8 }", "S { }", 1),
        ("#[cfg(not(test))] d", "# [ cfg ( not ( test ) ) ] d", 0),
    ];
    for (source, expected, lines) in cases {
        let code = take_apart(source);
        let (remaining, test_lines) = without_tests(&tokens(&code));
        let words: Vec<_> = remaining.into_iter().map(|token| token.text).collect();
        assert_eq!((words.join(" ").as_str(), test_lines), (expected, lines), "of {source}");
    }
}

#[test]
fn functions_are_found_with_their_lines_and_their_types() {
    let code = take_apart(
        "fn free(f: fn(u8) -> u8) -> impl Fn() {\n    fn inner() {}\n}\n\
         impl<T: Into<u8>> fmt::Debug for Wheel<T>\nwhere\n    T: Copy,\n{\n    fn turn(&self) { let a = [0; 2]; }\n}\n\
         trait Observer: 'static {\n    fn on_event(&self);\n}\nimpl &Wheel { fn last() {} }",
    );
    let found: Vec<_> = functions(&tokens(&code))
        .into_iter()
        .map(|function| (function.name, function.owners, function.first_line, function.last_line))
        .collect();
    assert_eq!(
        found,
        [
            ("free", vec![], 1, 3),
            ("inner", vec![], 2, 2),
            ("turn", vec!["Wheel", "Debug"], 8, 8),
            ("on_event", vec!["Observer"], 11, 11),
            ("last", vec!["Wheel"], 13, 13),
        ]
    );
}
