//! Lowers attributes, and decides cfg as far as it can be: Linux, x86-64, not a test.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, Lit, Meta, Token};

use crate::lint::ir::Attrs;

use super::{Lowering, path};

impl Lowering<'_> {
    pub(super) fn attrs(&mut self, attributes: &[Attribute]) -> Attrs {
        let mut attrs = Attrs::default();
        for attribute in attributes {
            add(&mut attrs, &attribute.meta);
        }
        attrs
    }

    /// Whether only some builds have what these are on.
    pub(super) fn is_conditional(&mut self, attributes: &[Attribute]) -> bool {
        !attributes.is_empty() && self.attrs(attributes).conditional
    }

    /// Whether a statement, arm or field is there at all.
    pub(super) fn enabled(&mut self, attributes: &[Attribute]) -> bool {
        attributes.is_empty() || {
            let attrs = self.attrs(attributes);
            !attrs.disabled && !attrs.test_only
        }
    }
}

fn add(attrs: &mut Attrs, meta: &Meta) {
    let path = meta.path();
    let Some(first) = path.get_ident() else {
        attrs.paths.push(path::path(path, None));
        return;
    };
    match (first.to_string().as_str(), meta) {
        ("cfg", Meta::List(list)) => cfg(attrs, list.tokens.clone()),
        ("cfg_attr", Meta::List(list)) => {
            let read = |input: ParseStream<'_>| {
                let condition = predicate(input)?;
                let mut metas = Vec::new();
                while !input.is_empty() {
                    input.parse::<Token![,]>()?;
                    if input.is_empty() {
                        break;
                    }
                    metas.push(input.parse::<Meta>()?);
                }
                Ok((condition, metas))
            };
            if let Ok((condition, metas)) = read.parse2(list.tokens.clone())
                && condition.on(false) != Truth::False
            {
                for meta in &metas {
                    add(attrs, meta);
                }
            }
        }
        ("macro_use" | "macro_export", _) => attrs.macro_use = true,
        ("allow" | "expect", Meta::List(list)) => {
            let lints = |token| matches!(token, TokenTree::Ident(name) if name == "dead_code" || name == "unused");
            attrs.may_be_dead |= list.tokens.clone().into_iter().any(lints);
        }
        (
            "derive"
            | "automatically_derived"
            | "doc"
            | "warn"
            | "deny"
            | "forbid"
            | "inline"
            | "must_use"
            | "cold"
            | "non_exhaustive"
            | "repr"
            | "rustfmt"
            | "path",
            _,
        ) => {}
        _ => attrs.paths.push(path::path(path, None)),
    }
}

/// The values of `#[path = "…"]` that may hold, and none for the usual place if that may.
pub(super) fn files_of(attributes: &[Attribute]) -> Vec<Option<String>> {
    fn value(meta: &Meta) -> Option<(Truth, String)> {
        match meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(literal) => match &literal.lit {
                    Lit::Str(text) => Some((Truth::True, text.value())),
                    _ => None,
                },
                _ => None,
            },
            Meta::List(list) if list.path.is_ident("cfg_attr") => {
                let read = |input: ParseStream<'_>| {
                    let condition = predicate(input)?;
                    input.parse::<Token![,]>()?;
                    let meta = input.parse::<Meta>()?;
                    input.parse::<TokenStream>()?;
                    Ok((condition, meta))
                };
                let (condition, meta) = read.parse2(list.tokens.clone()).ok()?;
                let (within, text) = value(&meta)?;
                match condition.on(false) {
                    Truth::True => Some((within, text)),
                    other => Some((other, text)),
                }
            }
            _ => None,
        }
    }
    let mut files = Vec::new();
    for (truth, text) in attributes.iter().filter_map(|attribute| value(&attribute.meta)) {
        match truth {
            Truth::True => {
                files.push(Some(text));
                return files;
            }
            Truth::Unknown => files.push(Some(text)),
            Truth::False => {}
        }
    }
    files.push(None);
    files
}

fn cfg(attrs: &mut Attrs, tokens: TokenStream) {
    let Ok(condition) = predicate.parse2(tokens) else {
        attrs.conditional = true;
        return;
    };
    match (condition.on(false), condition.on(true)) {
        (Truth::False, Truth::False) => attrs.disabled = true,
        (Truth::False, _) => attrs.test_only = true,
        (Truth::Unknown, _) => attrs.conditional = true,
        (Truth::True, _) => {}
    }
}

/// What `cfg!(…)` gives outside of tests, when that is known.
pub(super) fn holds(tokens: TokenStream) -> Option<bool> {
    match predicate.parse2(tokens).ok()?.on(false) {
        Truth::False => Some(false),
        Truth::True => Some(true),
        Truth::Unknown => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    False,
    Unknown,
    True,
}

/// A cfg predicate.
enum Predicate {
    Test,
    Is(Truth),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Predicate {
    /// Its truth in tests, or outside of them.
    fn on(&self, test: bool) -> Truth {
        match self {
            Self::Test => {
                if test {
                    Truth::True
                } else {
                    Truth::False
                }
            }
            Self::Is(truth) => *truth,
            Self::Not(inner) => match inner.on(test) {
                Truth::False => Truth::True,
                Truth::Unknown => Truth::Unknown,
                Truth::True => Truth::False,
            },
            Self::All(all) => {
                all.iter().map(|one| rank(one.on(test))).min().map_or(Truth::True, truth)
            }
            Self::Any(all) => {
                all.iter().map(|one| rank(one.on(test))).max().map_or(Truth::False, truth)
            }
        }
    }
}

fn rank(truth: Truth) -> u8 {
    match truth {
        Truth::False => 0,
        Truth::Unknown => 1,
        Truth::True => 2,
    }
}

fn truth(rank: u8) -> Truth {
    match rank {
        0 => Truth::False,
        1 => Truth::Unknown,
        _ => Truth::True,
    }
}

fn predicate(input: ParseStream<'_>) -> syn::Result<Predicate> {
    let key: Ident = input.call(syn::ext::IdentExt::parse_any)?;
    let key = key.to_string();
    if input.peek(syn::token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        let mut inner = Vec::new();
        while !content.is_empty() {
            inner.push(predicate(&content)?);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        return Ok(match key.as_str() {
            "not" => Predicate::Not(Box::new(inner.pop().unwrap_or(Predicate::Is(Truth::Unknown)))),
            "all" => Predicate::All(inner),
            "any" => Predicate::Any(inner),
            _ => Predicate::Is(Truth::Unknown),
        });
    }
    let mut value = None;
    if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        value = Some(input.parse::<syn::LitStr>()?.value());
    }
    Ok(match (key.as_str(), value.as_deref()) {
        ("test", None) => Predicate::Test,
        // Switches that only tests of this crate and its kin throw.
        ("feature", Some(name))
            // Others with two underscores are parts of features for everybody.
            if ["test", "bench", "fuzz", "mock", "simulation", "__private", "__internal"]
                .iter()
                .any(|word| name.contains(word)) =>
        {
            Predicate::Test
        }
        ("unix", None) => Predicate::Is(Truth::True),
        // Releases are what is judged.
        (
            "windows" | "doc" | "doctest" | "miri" | "loom" | "fuzzing" | "docsrs"
            | "debug_assertions",
            None,
        )
        | ("target_family", Some("windows" | "wasm")) => Predicate::Is(Truth::False),
        ("target_os", Some(os)) => {
            Predicate::Is(if os == "linux" { Truth::True } else { Truth::False })
        }
        // Names that build scripts give to such targets.
        (name, None) if name.starts_with("wasm") => Predicate::Is(Truth::False),
        ("target_arch", Some(arch)) if arch.starts_with("wasm") => Predicate::Is(Truth::False),
        // Others' vendors are those of systems that are not Linux.
        ("target_vendor", Some(vendor)) if vendor != "unknown" => Predicate::Is(Truth::False),
        ("target_family", Some("unix")) | ("target_pointer_width", Some("64")) => {
            Predicate::Is(Truth::True)
        }
        _ => Predicate::Is(Truth::Unknown),
    })
}
