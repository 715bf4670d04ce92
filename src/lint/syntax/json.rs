//! The body of a macro that is written as JSON with expressions for values, as of `json!`.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::Expr;

/// The expressions in it, in order; nothing when it is no JSON.
pub(super) fn expressions(tokens: &TokenStream) -> Option<Vec<Expr>> {
    let mut found = Vec::new();
    value(&tokens.clone().into_iter().collect::<Vec<_>>(), &mut found)?;
    Some(found)
}

fn value(tokens: &[TokenTree], found: &mut Vec<Expr>) -> Option<()> {
    match tokens {
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            parts(&inside).try_for_each(|entry| {
                let at = entry.iter().position(is_colon)?;
                key(&entry[..at], found);
                value(&entry[at + 1..], found)
            })
        }
        [TokenTree::Group(group)] if group.delimiter() == Delimiter::Bracket => {
            let inside: Vec<TokenTree> = group.stream().into_iter().collect();
            parts(&inside).try_for_each(|part| value(part, found))
        }
        [TokenTree::Ident(word)] if word == "null" => Some(()),
        [TokenTree::Literal(_)] => Some(()),
        _ => {
            found.push(syn::parse2(tokens.iter().cloned().collect()).ok()?);
            Some(())
        }
    }
}

/// A key that is computed: `(name)`.
fn key(tokens: &[TokenTree], found: &mut Vec<Expr>) {
    if !matches!(tokens, [TokenTree::Literal(_)]) {
        found.extend(syn::parse2::<Expr>(tokens.iter().cloned().collect()).ok());
    }
}

/// What stands between commas; behind the last one there may be nothing.
fn parts(tokens: &[TokenTree]) -> impl Iterator<Item = &[TokenTree]> {
    let is_comma =
        |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
    tokens.split(is_comma).filter(|part| !part.is_empty())
}

/// A colon that is no half of `::`: keys that have these are in parentheses.
fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(mark) if mark.as_char() == ':' && mark.spacing() == Spacing::Alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Option<usize> {
        expressions(&text.parse().unwrap()).map(|found| found.len())
    }

    #[test]
    fn values_are_expressions_and_the_rest_is_not() {
        assert_eq!(
            count("{\"a\": c.id(), \"b\": [1, x::y(3), null,], (k): {\"d\": -2, \"e\": true},}"),
            Some(5)
        );
        assert_eq!(count("[]"), Some(0));
        assert_eq!(count("thing?"), Some(1));
    }

    #[test]
    fn what_is_no_json_is_left_to_others() {
        assert_eq!(count("{ a => b }"), None);
        assert_eq!(count("{\"a\": b::<c, d>()}"), None);
        assert_eq!(count(""), None);
    }
}
