//! What pages load besides their HTML: a style and a script, under names that change with their content.
//!
//! So browsers may keep them for ever, and a new version of the program is never shown with the style of an older one.

use base16ct::lower;
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

/// A file that pages load.
#[derive(Debug)]
pub struct Asset {
    /// Its path at the server.
    pub path: String,
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub content: &'static str,
}

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, content: &'static str) -> Asset {
        let digest = lower::encode_string(&Sha256::digest(content)[..8]);
        Asset { path: format!("/assets/{stem}.{digest}.{ending}"), kind, content }
    }
}

/// The style of all pages.
pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style", "css", "text/css; charset=utf-8", include_str!("assets/style.css")));

/// The script of all pages.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("app", "js", "text/javascript; charset=utf-8", include_str!("assets/app.js"))
});

/// The icon in the browser's tab.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

/// The file at a path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_the_names_that_pages_say() {
        assert_eq!(find(&STYLE.path).unwrap().kind, "text/css; charset=utf-8");
        assert!(find("/assets/style.0000000000000000.css").is_none());
    }

    #[test]
    fn the_script_stays_small() {
        assert!(SCRIPT.content.len() <= 45 << 10, "{} bytes", SCRIPT.content.len());
    }
}
