//! Kinds of errors.

use databuild_core::words;

words! {
    /// What kind of trouble an error is.
    pub enum Kind: "kind of error" {
        /// The request cannot be read.
        Unreadable => "unreadable",
        /// The request lacks the server's token.
        Unauthorized => "unauthorized",
        /// The request comes from where it must not.
        Forbidden => "forbidden",
        /// Something that the request names does not exist.
        NotFound => "not_found",
        /// The path exists, and does not take this method.
        NotAllowed => "not_allowed",
        /// It cannot be done in the present state.
        Conflict => "conflict",
        /// It was there, and is archived now.
        Gone => "gone",
        /// The request is too large.
        TooLarge => "too_large",
        /// The request makes no sense.
        Invalid => "invalid",
        /// The server does not run, or cannot do that now.
        Unavailable => "unavailable",
        /// The workspace is not ready for that, or cannot be used as it is.
        Configuration => "configuration",
        /// The graph, or a setting, has errors.
        BadConfiguration => "bad_configuration",
        /// There is no space.
        Full => "full",
        /// A disk failed, or stored data is damaged.
        Storage => "storage",
        /// It stands in a message: of a run, of a look at data, or of Bazel's check of the graph. No command or request fails with
        /// it alone.
        Detail => "detail",
        /// DataBuild has a bug.
        Bug => "bug",
    }
}

/// The HTTP status of errors of a kind; none for what no request is answered with.
#[must_use]
pub fn status_of(kind: Kind) -> Option<u16> {
    Some(match kind {
        Kind::Unreadable => 400,
        Kind::Unauthorized => 401,
        Kind::Forbidden => 403,
        Kind::NotFound => 404,
        Kind::NotAllowed => 405,
        Kind::Conflict | Kind::Configuration => 409,
        Kind::Gone => 410,
        Kind::TooLarge => 413,
        Kind::Invalid | Kind::BadConfiguration => 422,
        Kind::Storage | Kind::Bug => 500,
        Kind::Unavailable => 503,
        Kind::Full => 507,
        Kind::Detail => return None,
    })
}

/// The exit code of a command that ends with an error of a kind. Stable; scripts rely on it.
#[must_use]
pub fn exit_code_of(kind: Kind) -> u8 {
    match kind {
        Kind::Unreadable
        | Kind::NotFound
        | Kind::NotAllowed
        | Kind::Conflict
        | Kind::TooLarge
        | Kind::Invalid => 2,
        Kind::Gone | Kind::Configuration | Kind::BadConfiguration | Kind::Full | Kind::Storage => 3,
        Kind::Unauthorized | Kind::Forbidden | Kind::Unavailable => 4,
        Kind::Detail => 1,
        Kind::Bug => 70,
    }
}
