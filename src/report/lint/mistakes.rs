//! What is wrong with settings, rules or facts that somebody wrote, with the lines it is in.

use annotate_snippets::renderer::Renderer;
use annotate_snippets::{AnnotationKind, Group, Level, Snippet};

use super::snippet::Window;
use crate::config::{Mistake, Mistakes};
use crate::finding::Region;
use crate::report::Style;
use crate::report::text::sanitise;

/// More are only counted.
const MOST: usize = 20;

/// The text that shows them, for a terminal.
#[must_use]
pub fn mistakes(mistakes: &Mistakes, style: Style) -> String {
    let shown: Vec<String> = mistakes.0.iter().take(MOST).map(|one| rendered(one, style)).collect();
    let mut text = shown.join("\n");
    if let Some(more) = mistakes.0.len().checked_sub(MOST).filter(|more| *more > 0) {
        text.push_str(&format!("\n{more} more are wrong\n"));
    }
    text
}

fn rendered(mistake: &Mistake, style: Style) -> String {
    let file = sanitise(&mistake.file);
    let message = sanitise(&mistake.message);
    let Some(text) = &mistake.text else { return format!("error: `{file}` {message}\n") };
    let region = region(mistake, text);
    let window = Window::new(text, region.line, region.line, style.unicode);
    let span = window.span(&region);
    let lines = Snippet::source(window.text.as_str())
        .line_start(window.first as usize)
        .path(file.as_ref())
        .annotation(AnnotationKind::Primary.span(span));
    let mut group = Group::with_title(Level::ERROR.primary_title(message.as_ref())).element(lines);
    let help = mistake.help.as_deref().map(sanitise);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_ref()));
    }
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let text = renderer.hyperlink(false).term_width(style.width).render(&[group]);
    format!("{}\n", text.trim_end())
}

/// Lines and columns of what is wrong; of several lines only the first is shown.
fn region(mistake: &Mistake, text: &str) -> Region {
    let start = text.floor_char_boundary(mistake.span.start);
    let end = text.floor_char_boundary(mistake.span.end.max(start));
    let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = number(text[..start].matches('\n').count());
    let marked = text[start..end].split('\n').next().unwrap_or_default();
    let column = number(text[line_start..start].chars().count());
    let end_column = column.saturating_add(number(marked.chars().count()) - 1);
    let path = mistake.file.clone();
    let bytes = (0, 0);
    Region { path, line, column, end_line: line, end_column, bytes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str, span: std::ops::Range<usize>) -> String {
        let mistake = Mistake {
            file: "a\x1b.toml".into(),
            text: Some(text.into()),
            span,
            message: "it is wrong".to_owned(),
            help: Some("write another".to_owned()),
        };
        let style = Style { color: false, unicode: true, width: 80 };
        mistakes(&Mistakes(vec![mistake]), style)
    }

    #[test]
    fn the_line_is_shown_with_its_place() {
        let text = plain("a = 1\nb日 = [\n]\n", 11..17);
        assert!(text.starts_with("error: it is wrong\n"), "{text}");
        assert!(text.contains(" --> a\\u{1b}.toml:2:4\n"), "{text}");
        assert!(text.contains("2 | b日 = [\n  |     ^^^\n"), "{text}");
        assert!(text.ends_with("= help: write another\n"), "{text}");
    }

    #[test]
    fn many_are_counted() {
        let one = Mistake::of_file("a".into(), "cannot be read");
        let all = Mistakes(vec![one; 23]);
        let text = mistakes(&all, Style { color: false, unicode: true, width: 80 });
        assert!(text.ends_with("error: `a` cannot be read\n\n3 more are wrong\n"), "{text}");
    }

    proptest! {
        #[test]
        fn any_span_is_shown(text in "\\PC{0,20}\n\\PC{0,20}", from in 0..60usize, to in 0..60usize) {
            let shown = plain(&text, from..to);
            prop_assert!(shown.starts_with("error: it is wrong"));
        }
    }
}
