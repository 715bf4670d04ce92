//! Templates to pages: every text is made harmless and escaped here, and nowhere else.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, escape_formatter};
use serde::Serialize;

use crate::report::text::sanitise;

const TEMPLATES: [(&str, &str); 6] = [
    ("base.html", include_str!("base.html")),
    ("style.css", include_str!("style.css")),
    ("chart.html", include_str!("chart.html")),
    ("bars.html", include_str!("bars.html")),
    ("watch.html", include_str!("watch.html")),
    ("lint.html", include_str!("lint.html")),
];

/// Renders a template with data.
///
/// # Errors
/// What a template cannot show; none of ours says so of any data.
pub(super) fn render(template: &str, data: &impl Serialize) -> io::Result<String> {
    let mut pages = Environment::new();
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    pages.set_auto_escape_callback(|name| match name {
        "style.css" => AutoEscape::None,
        _ => AutoEscape::Html,
    });
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    pages.set_syntax(syntax.map_err(io::Error::other)?);
    pages.set_formatter(|out, state, value| {
        // Nothing is marked as safe but paths of pictures, which we make of numbers.
        match value.as_str().filter(|_| value.kind() == ValueKind::String && !value.is_safe()) {
            Some(text) => escape_formatter(out, state, &Value::from(sanitise(text).into_owned())),
            None => escape_formatter(out, state, value),
        }
    });
    for (name, source) in TEMPLATES {
        pages.add_template(name, source).map_err(io::Error::other)?;
    }
    let page = pages.get_template(template).map_err(io::Error::other)?;
    page.render(Serde(data)).map_err(io::Error::other)
}
