//! Code that a Linux build without tests leaves out.

use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// A test, or under a `cfg` that is false.
pub(crate) fn left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args().is_ok_and(|predicate| holds(&predicate) == Some(false))
        }
        // `#[test]`, `#[tokio::test(…)]`, `#[async_test]`
        meta => {
            let last = meta.path().segments.last().map(|last| last.ident.to_string());
            last.is_some_and(|last| last.ends_with("test") || last == "bench")
        }
    })
}

/// Whether a predicate holds; features may be on or off.
fn holds(predicate: &Meta) -> Option<bool> {
    match predicate {
        Meta::Path(path) if path.is_ident("unix") => Some(true),
        Meta::Path(path) => ["test", "windows", "wasm", "loom", "miri"]
            .iter()
            .any(|name| path.is_ident(name))
            .then_some(false),
        Meta::NameValue(pair) => {
            let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(value), .. }) = &pair.value else {
                return None;
            };
            if pair.path.is_ident("feature") {
                // Helpers of tests.
                return value.value().contains("test").then_some(false);
            }
            let here = match pair.path.get_ident()?.to_string().as_str() {
                "target_os" => "linux",
                "target_family" => "unix",
                "target_arch" => "x86_64",
                _ => return None,
            };
            Some(value.value() == here)
        }
        Meta::List(list) => {
            let parts =
                list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
            let all: Vec<_> = parts.iter().map(holds).collect();
            if list.path.is_ident("not") {
                all.first().copied().flatten().map(|holds| !holds)
            } else {
                // One part decides, or all agree.
                let deciding = list.path.is_ident("any");
                match all.contains(&Some(deciding)) {
                    true => Some(deciding),
                    false => all.iter().all(|part| *part == Some(!deciding)).then_some(!deciding),
                }
            }
        }
    }
}
