//! Applying a unified diff: each hunk where its lines stand, and nowhere else.

use crate::Said;
use crate::tree::Files;

/// Applies a patch to the files of a crate.
pub(crate) fn apply(files: &mut Files, patch: &str) -> Said<()> {
    let mut path = String::new();
    let mut lines = patch.lines().peekable();
    let mut hunks = 0;
    while let Some(line) = lines.next() {
        if let Some(named) = line.strip_prefix("+++ ") {
            let named = named.split('\t').next().unwrap_or(named).trim();
            named.strip_prefix("b/").unwrap_or(named).clone_into(&mut path);
        } else if line.starts_with("@@") {
            let (mut old, mut new) = (String::new(), String::new());
            while let Some(line) = lines.next_if(|line| !line.starts_with("@@") && !line.starts_with("--- ")) {
                let (sign, text) = line.split_at_checked(1).unwrap_or((" ", ""));
                if sign != "+" && sign != "\\" {
                    old.push_str(text);
                    old.push('\n');
                }
                if sign != "-" && sign != "\\" {
                    new.push_str(text);
                    new.push('\n');
                }
            }
            let text = files.get_mut(&path).ok_or_else(|| format!("there is no file {path}"))?;
            match text.matches(&old).count() {
                1 => *text = text.replacen(&old, &new, 1),
                0 => return Err(format!("its lines do not stand in {path}:\n{old}")),
                many => return Err(format!("its lines stand {many} times in {path}; show more lines around:\n{old}")),
            }
            hunks += 1;
        }
    }
    if hunks == 0 { Err("it changes nothing".to_owned()) } else { Ok(()) }
}

#[test]
fn a_hunk_is_applied_where_its_lines_stand() {
    let mut files = Files::from([("src/a.rs".to_owned(), "1\n2\n3\n".to_owned())]);
    apply(&mut files, "--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n").expect("it applies");
    assert_eq!(files["src/a.rs"], "1\ntwo\n3\n");
    assert!(apply(&mut files, "+++ src/a.rs\n@@\n-2\n+x\n").is_err());
    assert!(apply(&mut files, "").is_err());
}
