//! Types as facts write them: a small grammar of its own, not Rust's.
//!
//! ```text
//! type      = "&" ["mut"] type | "(" [type {"," type}] ")" | path ["<" type {"," type} ">"]
//!           | "Fut<" type ">" | "Self" | "Arg0".."Arg9" | "T0".."T9" | "_" | "int" | "ptr"
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A type as a fact writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TypeText {
    /// A path with its type arguments, which may be fewer than the type has.
    Path(Arc<str>, Vec<Self>),
    /// `(A, B)`; `()` is the empty one.
    Tuple(Vec<Self>),
    /// `&T`, `&mut T`.
    Reference {
        /// `&mut`.
        mutable: bool,
        /// What it refers to.
        to: Box<Self>,
    },
    /// `Fut<T>`: something that yields `T` when awaited.
    Future(Box<Self>),
    /// `Self`: the type that the method was called on.
    Receiver,
    /// `Arg0`: the type of that argument, counted without the receiver.
    Argument(u8),
    /// `T0`: that type argument of the receiver.
    Parameter(u8),
    /// `_`.
    Unknown,
    /// `int`: a raw integer, such as a file descriptor.
    Int,
    /// `ptr`: a raw pointer.
    Pointer,
}

impl TypeText {
    /// Every path in it.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            while let Some(next) = stack.pop() {
                match next {
                    Self::Path(path, parts) => {
                        stack.extend(parts);
                        return Some(&**path);
                    }
                    Self::Tuple(parts) => stack.extend(parts),
                    Self::Reference { to, .. } | Self::Future(to) => stack.push(to),
                    _ => {}
                }
            }
            None
        })
    }
}

/// The short names that need no path.
const SHORT: &[(&str, &str)] = &[
    ("Arc", "std::sync::Arc"),
    ("Box", "std::boxed::Box"),
    ("Option", "std::option::Option"),
    ("Rc", "std::rc::Rc"),
    ("Result", "std::result::Result"),
    ("String", "std::string::String"),
    ("Vec", "std::vec::Vec"),
];

/// Types deeper than this are refused: facts are not code.
const DEPTH: usize = 16;

impl FromStr for TypeText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, at: 0 };
        let found = parser.one(0)?;
        parser.space();
        if parser.at < text.len() {
            return Err(format!("unexpected '{}' behind the type", &text[parser.at..]));
        }
        Ok(found)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        self.at = self.text.len() - self.text[self.at..].trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        let found = self.text[self.at..].starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn path(&mut self) -> &str {
        self.space();
        let rest = &self.text[self.at..];
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
            .unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn list(&mut self, end: &str, depth: usize) -> Result<Vec<TypeText>, String> {
        let mut found = Vec::new();
        loop {
            if self.eat(end) {
                return Ok(found);
            }
            if !found.is_empty() && !self.eat(",") {
                return Err(format!("expected ',' or '{end}' in '{}'", self.text));
            }
            if !found.is_empty() && self.eat(end) {
                return Ok(found);
            }
            found.push(self.one(depth)?);
        }
    }

    fn one(&mut self, depth: usize) -> Result<TypeText, String> {
        if depth > DEPTH {
            return Err("the type is nested too deeply".to_owned());
        }
        if self.eat("&") {
            self.space();
            let mutable = self.text[self.at..].starts_with("mut ") && self.eat("mut ");
            return Ok(TypeText::Reference { mutable, to: Box::new(self.one(depth + 1)?) });
        }
        if self.eat("(") {
            return Ok(TypeText::Tuple(self.list(")", depth + 1)?));
        }
        let path = self.path().to_owned();
        let arguments = if self.eat("<") { Some(self.list(">", depth + 1)?) } else { None };
        let plain = match path.as_str() {
            "Self" => Some(TypeText::Receiver),
            "_" => Some(TypeText::Unknown),
            "int" => Some(TypeText::Int),
            "ptr" => Some(TypeText::Pointer),
            _ => numbered(&path, "Arg")
                .map(TypeText::Argument)
                .or_else(|| numbered(&path, "T").map(TypeText::Parameter)),
        };
        if let Some(plain) = plain {
            return match arguments {
                None => Ok(plain),
                Some(_) => Err(format!("'{path}' takes no arguments")),
            };
        }
        let mut arguments = arguments.unwrap_or_default();
        if path == "Fut" {
            return match (arguments.pop(), arguments.is_empty()) {
                (Some(yields), true) => Ok(TypeText::Future(Box::new(yields))),
                _ => Err("'Fut' takes one argument".to_owned()),
            };
        }
        if let Some((_, full)) = SHORT.iter().find(|(short, _)| *short == path) {
            return Ok(TypeText::Path(Arc::from(*full), arguments));
        }
        if !is_path(&path) {
            return Err(format!("'{path}' is neither a path nor a known word"));
        }
        Ok(TypeText::Path(Arc::from(path), arguments))
    }
}

/// `Arg3` -> 3.
fn numbered(word: &str, prefix: &str) -> Option<u8> {
    match word.strip_prefix(prefix)?.as_bytes() {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        _ => None,
    }
}

/// At least two segments of identifiers.
pub(super) fn is_path(text: &str) -> bool {
    let identifier = |segment: &str| {
        segment.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    text.contains("::") && text.split("::").all(identifier)
}

impl fmt::Display for TypeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[Self]| -> fmt::Result {
            for (index, one) in types.iter().enumerate() {
                write!(f, "{}{one}", if index > 0 { ", " } else { "" })?;
            }
            Ok(())
        };
        match self {
            Self::Path(path, arguments) => {
                f.write_str(path)?;
                if !arguments.is_empty() {
                    f.write_str("<")?;
                    list(f, arguments)?;
                    f.write_str(">")?;
                }
                Ok(())
            }
            Self::Tuple(types) => {
                f.write_str("(")?;
                list(f, types)?;
                f.write_str(")")
            }
            Self::Reference { mutable, to } => {
                write!(f, "&{}{to}", if *mutable { "mut " } else { "" })
            }
            Self::Future(yields) => write!(f, "Fut<{yields}>"),
            Self::Receiver => f.write_str("Self"),
            Self::Argument(number) => write!(f, "Arg{number}"),
            Self::Parameter(number) => write!(f, "T{number}"),
            Self::Unknown => f.write_str("_"),
            Self::Int => f.write_str("int"),
            Self::Pointer => f.write_str("ptr"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn grammar() {
        for (text, shown) in [
            ("_", "_"),
            ("int", "int"),
            ("ptr", "ptr"),
            ("Self", "Self"),
            ("()", "()"),
            ("Arg0", "Arg0"),
            ("T1", "T1"),
            ("Result<Self>", "std::result::Result<Self>"),
            (
                "Result<Option<std::process::Child>, _>",
                "std::result::Result<std::option::Option<std::process::Child>, _>",
            ),
            ("( int , ptr )", "(int, ptr)"),
            ("&mut a::B<T0>", "&mut a::B<T0>"),
            ("&mutable::B", "&mutable::B"),
            ("Fut<Result<&Arc<a::B>>>", "Fut<std::result::Result<&std::sync::Arc<a::B>>>"),
            ("(int,)", "(int)"),
            ("T1::X", "T1::X"),
        ] {
            let parsed: TypeText = text.parse().expect(text);
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(shown.parse::<TypeText>().expect(shown), parsed);
        }
        for text in [
            "",
            "Child",
            "a::",
            "::a",
            "a::B<",
            "a::B<int",
            "a::B<int int>",
            "int<int>",
            "Fut",
            "Fut<int, int>",
            "(int",
            "a::B x",
            "&",
            "Arg10",
            "a::1b",
            "a:b",
            "ä::b",
            "(,)",
        ] {
            assert!(text.parse::<TypeText>().is_err(), "{text}");
        }
        assert!(format!("{}int{}", "(".repeat(99), ")".repeat(99)).parse::<TypeText>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}|[&()<>,_ :A-Za-z0-9]{0,40}") {
            if let Ok(parsed) = text.parse::<TypeText>() {
                prop_assert_eq!(parsed.to_string().parse::<TypeText>(), Ok(parsed));
            }
        }
    }
}
