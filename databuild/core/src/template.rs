//! Templates in graph files: dataset paths (`out/{city}/{date}.csv`) and job arguments (`--out={path}`).
//!
//! Parsed once; rendering cannot fail except for a name the caller does not know, which the graph check
//! has ruled out. `{{` and `}}` stand for braces.

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Itself.
    Text(String),
    /// `{name}` or `{name:argument}`.
    Hole {
        /// Before the colon.
        name: String,
        /// After it.
        argument: Option<String>,
    },
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{` without `}`.
    #[error("`{{` is never closed; write `{{{{` for a brace itself")]
    Unclosed,
    /// `}` without `{`.
    #[error("`}}` closes nothing; write `}}}}` for a brace itself")]
    Unopened,
    /// `{}`.
    #[error("`{{}}` names nothing")]
    EmptyHole,
}

impl Template {
    /// Parses `text`.
    ///
    /// # Errors
    /// Braces that do not pair up, or an empty pair.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' | '}' if chars.peek() == Some(&c) => {
                    chars.next();
                    literal.push(c);
                }
                '}' => return Err(TemplateError::Unopened),
                '{' => {
                    let mut hole = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some('{') | None => return Err(TemplateError::Unclosed),
                            Some(c) => hole.push(c),
                        }
                    }
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    let (name, argument) = match hole.split_once(':') {
                        Some((name, argument)) => (name.to_owned(), Some(argument.to_owned())),
                        None => (hole, None),
                    };
                    if name.is_empty() {
                        return Err(TemplateError::EmptyHole);
                    }
                    parts.push(Part::Hole { name, argument });
                }
                c => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Template { parts })
    }

    /// A text that has no holes, whatever braces are in it.
    #[must_use]
    pub fn literal(text: &str) -> Template {
        Template { parts: vec![Part::Text(text.to_owned())] }
    }

    /// The pieces in order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The holes' names and arguments in order.
    pub fn holes(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Hole { name, argument } => Some((name.as_str(), argument.as_deref())),
        })
    }

    /// The text with each hole filled by `fill(name, argument)`.
    ///
    /// # Errors
    /// The first hole that `fill` knows nothing for.
    pub fn render<'v>(
        &self,
        mut fill: impl FnMut(&str, Option<&str>) -> Option<std::borrow::Cow<'v, str>>,
    ) -> Result<String, UnknownHole> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole { name, argument } => match fill(name, argument.as_deref()) {
                    Some(value) => out.push_str(&value),
                    None => {
                        let argument = argument.as_deref().map(|a| format!(":{a}")).unwrap_or_default();
                        return Err(UnknownHole(format!("{{{name}{argument}}}")));
                    }
                },
            }
        }
        Ok(out)
    }
}

/// A template's text with other names in its holes, all else as it was written.
#[must_use]
pub fn rename_holes(text: &str, rename: impl Fn(&str, Option<&str>) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let hole = from.strip_prefix('{').filter(|inner| !inner.starts_with('{'));
        let Some((inner, after)) = hole.and_then(|inner| inner.split_once('}')) else {
            // A brace itself is written twice.
            let two = from.len().min(2);
            out.push_str(&from[..two]);
            rest = &from[two..];
            continue;
        };
        let (name, argument) = inner.split_once(':').map_or((inner, None), |(name, arg)| (name, Some(arg)));
        out.push('{');
        out.push_str(rename(name, argument).as_deref().unwrap_or(inner));
        out.push('}');
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A hole nobody can fill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing is known for `{0}`")]
pub struct UnknownHole(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_holes_and_braces() {
        let template = Template::parse("a/{city}/{{x}}/{path:sales/raw}").unwrap();
        let text = template.render(|name, argument| match (name, argument) {
            ("city", None) => Some("oslo".into()),
            ("path", Some("sales/raw")) => Some("/p".into()),
            _ => None,
        });
        assert_eq!(text.unwrap(), "a/oslo/{x}//p");
        assert_eq!(template.render(|_, _| None), Err(UnknownHole("{city}".into())));
    }

    #[test]
    fn holes_get_other_names_and_all_else_stays() {
        let rename = |name: &str, argument: Option<&str>| match (name, argument) {
            ("day", None) => Some("date".to_owned()),
            ("path", Some("a")) => Some("path:b".to_owned()),
            _ => None,
        };
        for (text, renamed) in [
            ("out/{day}.csv", "out/{date}.csv"),
            ("{{day}}/{day}{day}", "{{day}}/{date}{date}"),
            ("{{{day}}}", "{{{date}}}"),
            ("--o={path:a} {path} {input:day}", "--o={path:b} {path} {input:day}"),
            ("day", "day"),
            ("", ""),
        ] {
            assert_eq!(rename_holes(text, rename), renamed);
        }
    }

    #[test]
    fn refuses_unpaired_braces() {
        assert_eq!(Template::parse("a{b"), Err(TemplateError::Unclosed));
        assert_eq!(Template::parse("a{b{c}"), Err(TemplateError::Unclosed));
        assert_eq!(Template::parse("a}b"), Err(TemplateError::Unopened));
        assert_eq!(Template::parse("{}"), Err(TemplateError::EmptyHole));
    }
}
