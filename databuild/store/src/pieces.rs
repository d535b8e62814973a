//! Long texts in pieces, so that texts which are nearly equal share nearly all that is stored of them.
//!
//! Source manifests are such texts: a job's lists each file that stands behind it, a thousand jobs on one library list the same
//! ones. A text is cut after entries that its own content chooses (content-defined chunking, as in LBFS and rsync), so an entry
//! more or less changes only the piece that it is in. The list of a text's pieces, the index, is a content like any other: a
//! JSON array of digests. Whole manifests, as logs of early programs have them, are JSON objects.

use super::log::Blob;

/// One entry in so many ends a piece, on average.
const ENTRIES: u64 = 32;
/// A piece ends here at the latest, in bytes.
const MOST_BYTES: usize = 256 << 10;

/// FNV-1a. Where pieces end needs no strength, and this is read of every byte.
fn fnv(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The pieces of a text, which together are the text. Those of equal content are equal.
pub fn cut(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut begin, mut entry, mut at) = (0, 0, 0);
    for line in text.split_inclusive('\n') {
        at += line.len();
        if !matches!(line.trim(), "}," | "],") {
            continue;
        }
        if fnv(&text[entry..at]).is_multiple_of(ENTRIES) || at - begin >= MOST_BYTES {
            pieces.push(&text[begin..at]);
            begin = at;
        }
        entry = at;
    }
    if begin < text.len() {
        pieces.push(&text[begin..]);
    }
    pieces
}

/// The index of these pieces.
#[must_use]
pub fn index<'d>(digests: impl IntoIterator<Item = &'d str>) -> Blob {
    let digests: Vec<&str> = digests.into_iter().collect();
    // Texts always have a JSON form.
    Blob::of(serde_json::to_vec(&digests).unwrap_or_default())
}

/// Digests of the pieces that an index lists; none if the content is a whole text.
#[must_use]
pub fn listed(content: &[u8]) -> Option<Vec<String>> {
    if content.first() != Some(&b'[') {
        return None;
    }
    serde_json::from_slice(content).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::digest::hash64;
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    /// A text as source manifests are, of these files.
    fn manifest(files: impl Iterator<Item = u32>) -> String {
        let mut text = "{\n  \"files\": [\n".to_owned();
        for file in files {
            let _ = write!(
                text,
                "    {{\n      \"path\": \"lib/f{file}.py\",\n      \"sha256\": \"{}\"\n    }},\n",
                hash64(&file.to_string())
            );
        }
        text.push_str("  ]\n}\n");
        text
    }

    #[test]
    fn pieces_are_the_text() {
        let long = format!("[\n{}\n]", "x".repeat(MOST_BYTES * 2));
        for text in ["", "\n", "{}", "no end of line", &long, &manifest(0..1000), "},\n},\n},\n"] {
            assert_eq!(cut(text).concat(), text);
            assert!(cut(text).iter().all(|piece| !piece.is_empty()));
        }
        assert!(cut("").is_empty());
    }

    #[test]
    fn nearly_equal_texts_share_nearly_all_pieces() {
        let before = manifest(0..20_000);
        let pieces: BTreeSet<&str> = cut(&before).into_iter().collect();
        assert!((300..1300).contains(&pieces.len()), "{}", pieces.len());
        // A file more, a file less, and another content in the middle.
        let after = manifest((1..10_000).chain([77_777]).chain(10_001..20_001));
        let new = cut(&after).into_iter().filter(|piece| !pieces.contains(piece)).count();
        assert!((1..=6).contains(&new), "{new} new pieces");
    }

    #[test]
    fn pieces_have_a_bound() {
        let text = "},\n".repeat(MOST_BYTES);
        assert!(cut(&text).iter().all(|piece| piece.len() <= MOST_BYTES + 3));
    }

    #[test]
    fn an_index_is_no_manifest() {
        let index = index(["ab", "cd"]);
        assert_eq!(listed(&index.bytes), Some(vec!["ab".to_owned(), "cd".to_owned()]));
        assert_eq!(listed(b"{\"format\": 1}"), None);
        assert_eq!(listed(b"[1"), None);
        assert_eq!(listed(b""), None);
    }
}
