//! Parses a file; what the parser rejects is tried item by item, then member by member.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, ImplItem, Item, TraitItem};

use crate::lint::ir::Span;

use super::blank::without_tests;
use super::pieces::readable;
use super::span;

/// What could be parsed of a file.
pub(super) struct Parsed {
    pub(super) attrs: Vec<Attribute>,
    pub(super) items: Vec<Item>,
    pub(super) broken: Vec<(Span, String)>,
}

/// Parses all but the bodies of tests. `testing`: the whole file is one.
pub(super) fn parse(source: &str, testing: bool) -> Parsed {
    let parsed = without_tests(source, testing).map(|text| whole(&text));
    // What does not parse without its tests was mistaken for some.
    parsed.filter(|parsed| parsed.broken.is_empty()).unwrap_or_else(|| whole(source))
}

pub(super) fn whole(source: &str) -> Parsed {
    // The parser would cut a shebang line off, and every place would move.
    let blanked = without_shebang(source);
    let text = blanked.as_deref().unwrap_or(source);
    match syn::parse_file(text) {
        Ok(file) => Parsed { attrs: file.attrs, items: file.items, broken: Vec::new() },
        Err(error) => match text.parse() {
            Ok(tokens) => piecewise(tokens),
            Err(_) => unbalanced(text, &error),
        },
    }
}

/// A text that cannot be cut into tokens: what is left without the pieces that do not let it.
fn unbalanced(text: &str, whole: &syn::Error) -> Parsed {
    let (text, broken) = readable(text);
    let mut parsed = match text.parse() {
        Ok(tokens) => piecewise(tokens),
        Err(_) => Parsed {
            attrs: Vec::new(),
            items: Vec::new(),
            broken: vec![(span(whole.span()), whole.to_string())],
        },
    };
    parsed.broken.extend(broken);
    parsed
}

/// The text with its shebang line blanked out, if it has one.
fn without_shebang(source: &str) -> Option<String> {
    let rest = source.strip_prefix("#!")?;
    if rest.trim_start().starts_with('[') {
        return None;
    }
    let line = source.find('\n').unwrap_or(source.len());
    Some(format!("{}{}", " ".repeat(line), &source[line..]))
}

fn piecewise(tokens: TokenStream) -> Parsed {
    let mut parsed = Parsed { attrs: Vec::new(), items: Vec::new(), broken: Vec::new() };
    let (attrs, items, broken) = (&mut parsed.attrs, &mut parsed.items, &mut parsed.broken);
    let read = |input: ParseStream<'_>| {
        *attrs = input.call(Attribute::parse_inner).unwrap_or_default();
        while !input.is_empty() {
            one(input, items, broken, parse_whole)?;
        }
        Ok(())
    };
    if let Err(error) = read.parse2(tokens) {
        parsed.broken.push((span(error.span()), error.to_string()));
    }
    parsed
}

fn parse_whole(input: ParseStream<'_>) -> syn::Result<Item> {
    input.parse()
}

/// Takes one item off the input: parsed, in parts, or recorded as broken. Always makes progress.
fn one(
    input: ParseStream<'_>,
    items: &mut Vec<Item>,
    broken: &mut Vec<(Span, String)>,
    parse: fn(ParseStream<'_>) -> syn::Result<Item>,
) -> syn::Result<()> {
    let ahead = input.fork();
    match parse(&ahead) {
        Ok(item) => {
            syn::parse::discouraged::Speculative::advance_to(input, &ahead);
            items.push(item);
        }
        Err(error) => {
            let tokens = skip(input)?;
            if !in_parts(&tokens, items, broken) {
                broken.push((span(error.span()), error.to_string()));
            }
        }
    }
    Ok(())
}

/// Takes tokens up to and with the next `;` or braces.
fn skip(input: ParseStream<'_>) -> syn::Result<Vec<TokenTree>> {
    let mut taken = Vec::new();
    while !input.is_empty() {
        let token: TokenTree = input.parse()?;
        let last = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        taken.push(token);
        if last {
            break;
        }
    }
    Ok(taken)
}

/// An impl, trait or module with a bad member: the header, with the members that parse.
fn in_parts(tokens: &[TokenTree], items: &mut Vec<Item>, broken: &mut Vec<(Span, String)>) -> bool {
    let Some((TokenTree::Group(body), header)) = tokens.split_last() else { return false };
    if body.delimiter() != Delimiter::Brace {
        return false;
    }
    let mut empty = proc_macro2::Group::new(Delimiter::Brace, TokenStream::new());
    empty.set_span(body.span());
    let header: TokenStream = header.iter().cloned().chain([TokenTree::Group(empty)]).collect();
    let Ok(mut item) = syn::parse2::<Item>(header) else { return false };
    match &mut item {
        Item::Impl(item) => members::<ImplItem>(body.stream(), &mut item.items, broken),
        Item::Trait(item) => members::<TraitItem>(body.stream(), &mut item.items, broken),
        Item::Mod(item) => {
            let mut inner = Vec::new();
            let read = |input: ParseStream<'_>| {
                while !input.is_empty() {
                    one(input, &mut inner, broken, parse_whole)?;
                }
                Ok(())
            };
            if read.parse2(body.stream()).is_ok()
                && let Some((_, content)) = &mut item.content
            {
                *content = inner;
            }
        }
        _ => return false,
    }
    items.push(item);
    true
}

fn members<T: syn::parse::Parse>(
    tokens: TokenStream,
    found: &mut Vec<T>,
    broken: &mut Vec<(Span, String)>,
) {
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let ahead = input.fork();
            match ahead.parse() {
                Ok(member) => {
                    syn::parse::discouraged::Speculative::advance_to(input, &ahead);
                    found.push(member);
                }
                Err(error) => {
                    broken.push((span(error.span()), error.to_string()));
                    skip(input)?;
                }
            }
        }
        Ok(())
    };
    let _ = read.parse2(tokens);
}
