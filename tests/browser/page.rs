//! Writes the page as a file for the disk and as one for programs, and packs the recordings that are built into it.
//!
//! ```text
//! cargo run -p oneloop-browser-tests --bin page
//! ```
//!
//! Run it after a change of the page's source or of docs/recordings, and keep what it writes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Parser;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

#[path = "../command_line.rs"]
mod command_line;
#[path = "../../runtime/src/see/serve/page/mod.rs"]
mod page;

/// How many letters a line of the packed recordings has.
const WIDE: usize = 120;

/// Writes the page as a file for the disk and as one for programs, and packs the recordings that are built into it.
#[derive(Parser)]
struct Arguments {}

fn main() -> std::io::Result<()> {
    let Arguments {} = command_line::read();
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recordings = top.join("runtime/src/see/serve/page/recordings.html");
    let before = fs::read_to_string(&recordings)?;
    let now = packed(&kept(&top)?)?;
    let whole = page::PAGE.replacen(&before, &now, 1);
    fs::write(&recordings, &now)?;
    fs::write(top.join("docs/see.html"), &whole)?;
    if unpacked(page::PACKED)? == whole.as_bytes() {
        return Ok(());
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(whole.as_bytes())?;
    fs::write(top.join("runtime/src/see/serve/page/page.html.gz"), gzip.finish()?)
}

fn unpacked(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut whole)?;
    Ok(whole)
}

/// The kept recordings, by name.
fn kept(top: &Path) -> std::io::Result<Vec<PathBuf>> {
    let files = fs::read_dir(top.join("docs/recordings"))?.map(|file| file.map(|file| file.path()));
    let mut files = files.collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}

/// An element that holds the recordings one after the other, compressed.
fn packed(files: &[PathBuf]) -> std::io::Result<String> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for file in files {
        gzip.write_all(&fs::read(file)?)?;
    }
    let letters = data_encoding::BASE64.encode(&gzip.finish()?);
    let lines: Vec<_> = letters.as_bytes().chunks(WIDE).map(String::from_utf8_lossy).collect();
    let names: Vec<_> = files.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
    Ok(format!(
        "<!-- The files of docs/recordings, by name, packed by gzip and Base64: tests/browser/page.rs writes them. -->\n\
         <script type=\"application/octet-stream\" id=\"recordings\" data-names=\"{}\">\n{}\n</script>\n",
        names.join(" "),
        lines.join("\n")
    ))
}
