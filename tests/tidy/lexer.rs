//! Just enough of Rust's grammar to read our own sources: where code ends and comments and strings
//! begin, which words it has, where its functions are, and which parts exist only in tests.
//!
//! It does not parse. It looks for keywords and matches brackets, which holds for code that rustfmt
//! has formatted and the compiler has accepted.

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

/// The source with every comment, string and character replaced by spaces. Lines stay where they were.
pub(crate) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let word = rest.iter().take_while(|&&byte| is_word(byte)).count();
        if let Some(length) = length_of_literal_or_comment(rest, word) {
            for byte in &mut code[at..at + length] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
            at += length;
        } else {
            at += word.max(1);
        }
    }
    String::from_utf8(code).expect("whole characters were replaced by spaces")
}

/// The length of the comment, string or character that `rest` opens with. `word` is how many bytes
/// of a word it opens with: the prefix, if it is a literal.
fn length_of_literal_or_comment(rest: &[u8], word: usize) -> Option<usize> {
    let body = &rest[word..];
    let length = match &rest[..word] {
        b"" if body.starts_with(b"//") => body.iter().take_while(|&&byte| byte != b'\n').count(),
        b"" if body.starts_with(b"/*") => length_of_block_comment(body),
        b"" | b"b" if body.starts_with(b"'") => length_of_character(body)?,
        b"" | b"b" | b"c" if body.starts_with(b"\"") => length_up_to_quote(body, b'"'),
        b"r" | b"br" | b"cr" => length_of_raw_string(body)?,
        _ => return None,
    };
    Some((word + length).min(rest.len()))
}

fn length_of_block_comment(body: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < body.len() {
        if body[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if body[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

/// `None` if the quote opens a lifetime or a loop label, which are code.
fn length_of_character(body: &[u8]) -> Option<usize> {
    let first = *body.get(1)?;
    if first == b'\\' {
        return Some(length_up_to_quote(body, b'\''));
    }
    let continuation_bytes = body[2..].iter().take_while(|&&byte| byte & 0xc0 == 0x80).count();
    let quote = 2 + continuation_bytes;
    (body.get(quote) == Some(&b'\'')).then_some(quote + 1)
}

fn length_up_to_quote(body: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < body.len() && body[at] != quote {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// `None` if what follows the prefix is no string, as in the raw identifier `r#loop`.
fn length_of_raw_string(body: &[u8]) -> Option<usize> {
    let hashes = body.iter().take_while(|&&byte| byte == b'#').count();
    if body.get(hashes) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &body[..hashes]].concat();
    let inside = &body[hashes + 1..];
    let length = inside.windows(end.len()).position(|window| window == end).unwrap_or(inside.len());
    Some(hashes + 1 + length + end.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The tokens of what [`code_only`] left. `::`, `->` and `=>` are one token each.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let word = bytes[at..].iter().take_while(|&&byte| is_word(byte)).count();
        let length = match &bytes[at..] {
            _ if word > 0 => word,
            [b':', b':', ..] | [b'-', b'>', ..] | [b'=', b'>', ..] => 2,
            _ => 1,
        };
        let text = &code[at..at + length];
        if text == "\n" {
            line += 1;
        } else if !text.trim().is_empty() {
            tokens.push(Token { text, line });
        }
        at += length;
    }
    tokens
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

#[test]
fn comments_strings_and_characters_are_no_code() {
    let cases = [
        ("a // b", "a"),
        ("a /* b /* c */ d */ e", "a e"),
        ("\"unsafe { \\\" }\" a", "a"),
        ("r#\"quote \" inside\"# a", "a"),
        ("br##\"x\"# y\"## a", "a"),
        ("b\"x\" c\"y\" cr\"z\" a", "a"),
        ("'{' '\\'' '\\u{7d}' 'ß' b'}' a", "a"),
        ("f(\"//\", x) // y", "f ( , x )"),
        ("\"open to the end", ""),
        ("/* open to the end", ""),
    ];
    for (source, expected) in cases {
        let code = code_only(source);
        let words: Vec<_> = tokens(&code).into_iter().map(|token| token.text).collect();
        assert_eq!(words.join(" "), expected, "of {source}");
        assert_eq!(code.len(), source.len(), "of {source}");
    }
}

#[test]
fn lifetimes_labels_and_raw_names_are_code() {
    let source = "fn f<'a>(x: &'a str) { 'turn: loop { r#loop(x); break 'turn } }";
    assert_eq!(code_only(source), source);
}

#[test]
fn tokens_know_their_lines_behind_comments_of_several_lines() {
    let code = code_only("/* one\n two */ a\n\"three\nfour\"; b");
    assert_eq!(
        tokens(&code),
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
        let code = code_only(source);
        let (remaining, test_lines) = without_tests(&tokens(&code));
        let words: Vec<_> = remaining.into_iter().map(|token| token.text).collect();
        assert_eq!((words.join(" ").as_str(), test_lines), (expected, lines), "of {source}");
    }
}

#[test]
fn functions_are_found_with_their_lines_and_their_types() {
    let code = code_only(
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
