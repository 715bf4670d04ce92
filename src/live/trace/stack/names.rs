//! Names of functions as their source has them.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Longer ones are cut: what is mangled may unfold to any length.
const MOST: usize = 512;
/// Longer ones lose the arguments of their type arguments.
const LONG: usize = 60;
/// What is mangled may be so long.
const MOST_MANGLED: usize = 4096;

/// A text that takes no more than it has room for.
#[derive(Default)]
struct Cut(String);

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MOST.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        self.0.push('…');
        Err(fmt::Error)
    }
}

/// A name of a symbol table or of debug information, demangled, without hashes, arguments and
/// versions.
pub(super) fn demangled(name: &str) -> String {
    let mut out = Cut::default();
    if name.len() <= MOST_MANGLED {
        if let Ok(rust) = rustc_demangle::try_demangle(name) {
            // An error is the end of the room.
            let _ = write!(out, "{rust:#}");
            return out.0;
        }
        if name.starts_with("_Z")
            && let Ok(cpp) = cpp_demangle::Symbol::new(name)
        {
            let options = cpp_demangle::DemangleOptions::new().no_params().no_return_type();
            if cpp.structured_demangle(&mut out, &options).is_ok() || !out.0.is_empty() {
                return out.0;
            }
        }
    }
    // Symbols of libraries carry their version.
    let plain = name.split_once("@@").map_or(name, |(plain, _)| plain);
    let _ = out.write_str(plain);
    out.0
}

/// The function that a person wrote: bodies of closures and of async functions are of the function
/// around them.
pub(super) fn written(name: &str) -> &str {
    let mut name = name;
    loop {
        let shorter = name
            .strip_suffix("::{{closure}}")
            .or_else(|| name.strip_suffix("{vtable.shim}"))
            .or_else(|| name.strip_suffix("{{vtable.shim}}"))
            .or_else(|| numbered(name, "::{closure#", '}'))
            .or_else(|| numbered(name, "::{async_fn#", '}'))
            .or_else(|| numbered(name, "::{async_block#", '}'))
            .or_else(|| numbered(name, "::{async_fn_env#", '}'))
            .or_else(|| numbered(name, "::{closure_env#", '}'))
            .or_else(|| numbered(name, "::{shim:vtable#", '}'))
            .or_else(|| called_closure(name))
            .or_else(|| lambda(name))
            .or_else(|| go_closure(name))
            .or_else(|| variant(name));
        match shorter {
            Some(shorter) if !shorter.is_empty() => name = shorter,
            _ => return name,
        }
    }
}

/// A long name without the arguments of its type arguments: `a::f<b::C<…>>`.
pub(super) fn shortened(name: &str) -> Cow<'_, str> {
    if name.len() <= LONG {
        return name.into();
    }
    let (mut short, mut depth, mut before) = (String::new(), 0_usize, ' ');
    for c in name.chars() {
        match c {
            '<' => {
                depth += 1;
                match depth {
                    1 => short.push(c),
                    2 => short.push_str("<…"),
                    _ => {}
                }
            }
            // The arrow before what a function returns closes nothing.
            '>' if before != '-' => {
                let Some(outer) = depth.checked_sub(1) else { return name.into() };
                if depth <= 2 {
                    short.push(c);
                }
                depth = outer;
            }
            c if depth <= 1 => short.push(c),
            _ => {}
        }
        before = c;
    }
    // Brackets that do not agree are not those of arguments.
    if depth == 0 { short.into() } else { name.into() }
}

/// The function around a lambda of C++ that a name has in it: `a::f` of `g<int, a::f()::{lambda()#1}>`.
pub(super) fn around_lambda(name: &str) -> Option<&str> {
    let (before, _) = name.split_once("::{lambda(")?;
    let (mut end, mut depth) = (before.len(), 0_usize);
    for (at, byte) in before.bytes().enumerate().rev() {
        match byte {
            b')' | b'>' => depth += 1,
            b'(' | b'<' if depth > 0 => {
                depth -= 1;
                // Parameters at its end.
                if byte == b'(' && depth == 0 && before[..end].ends_with(')') {
                    end = at;
                }
            }
            b'(' | b'<' | b',' | b' ' if depth == 0 => return Some(&before[at + 1..end]),
            _ => {}
        }
    }
    (depth == 0).then_some(&before[..end])
}

/// Cuts what a lambda of C++ is called by: `a::f` of `a::f()::{lambda()#1}::operator()`.
fn lambda(name: &str) -> Option<&str> {
    let (_, last) = name.rsplit_once("::")?;
    (last.starts_with("operator()") || last.starts_with("{lambda("))
        .then(|| around_lambda(name))?
        .filter(|around| name.starts_with(around))
}

/// Cuts `::{closure#3}` and its like.
fn numbered<'a>(name: &'a str, open: &str, close: char) -> Option<&'a str> {
    let (before, number) = name.strip_suffix(close)?.rsplit_once(open)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(before)
}

/// Cuts what calls a closure: `a::f::{closure#0}` of `<a::f::{closure#0} as …FnOnce<()>>::call_once`.
fn called_closure(name: &str) -> Option<&str> {
    let (this, of) = name.strip_prefix('<')?.split_once(" as ")?;
    let closure = numbered(this, "::{closure#", '}').is_some();
    (closure && of.starts_with("core::ops::function::Fn")).then_some(this)
}

/// Cuts `.func1`, `.func1.2`, `.gowrap1` and `-fm`, by which Go's compiler names closures.
fn go_closure(name: &str) -> Option<&str> {
    if let Some(method) = name.strip_suffix("-fm") {
        return Some(method);
    }
    let (before, last) = name.rsplit_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let counted = ["func", "gowrap", "deferwrap"]
        .iter()
        .any(|kind| last.strip_prefix(kind).is_some_and(digits));
    // `main.serve.func1.2`: the second closure within the first.
    (counted || (digits(last) && before.contains(".func"))).then_some(before)
}

/// Cuts `.constprop.0`, `.cold` and their like: what C compilers make of one function.
fn variant(name: &str) -> Option<&str> {
    const KINDS: [&str; 6] = ["constprop", "isra", "part", "cold", "llvm", "lto_priv"];
    let (before, last) = name.rsplit_once('.')?;
    if KINDS.contains(&last) {
        return Some(before);
    }
    let (before, kind) = before.rsplit_once('.')?;
    let digits = last.bytes().all(|byte| byte.is_ascii_digit());
    (digits && KINDS.contains(&kind)).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_and_closures_are_cut() {
        let name = demangled("_ZN4leak5serve28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE");
        assert_eq!(name, "leak::serve::{{closure}}");
        assert_eq!(written(&name), "leak::serve");
        assert_eq!(demangled("_ZN5space3fooEibc"), "space::foo");
        assert_eq!(demangled("open64@@GLIBC_2.2.5"), "open64");
        assert_eq!(demangled("open"), "open");
        assert_eq!(written("leak::serve::{closure#0}::{closure#12}"), "leak::serve");
        assert_eq!(written("main.serve.func1.2"), "main.serve");
        assert_eq!(written("main.(*T).leak-fm"), "main.(*T).leak");
        assert_eq!(written("main.func1"), "main");
        assert_eq!(written("net.Dial"), "net.Dial");
        let shim = "<leak::serve::{closure#0} as core::ops::function::FnOnce<()>>::call_once";
        assert_eq!(written(shim), "leak::serve");
        assert_eq!(written("leak::serve()::{lambda(int)#2}::operator()"), "leak::serve");
        assert_eq!(written("keep.constprop.0.isra.0.cold"), "keep");
    }

    #[test]
    fn lambdas_have_a_function_around_them() {
        let name = demangled(
            "_ZNSt17_Function_handlerIFvvEZN5store5serveEvEUlvE_E9_M_invokeERKSt9_Any_data",
        );
        assert_eq!(around_lambda(&name), Some("store::serve"), "{name}");
        assert_eq!(around_lambda("f(int, char)::{lambda()#1}"), Some("f"));
        assert_eq!(around_lambda("g<int, a<b>::f(int)::{lambda()#1}>"), Some("a<b>::f"));
        assert_eq!(around_lambda("main::{lambda()#1}::operator()"), Some("main"));
        for none in ["main", "::{lambda(", ")::{lambda(", "<::{lambda(", ">(::{lambda("] {
            assert!(around_lambda(none).is_none_or(str::is_empty), "{none}");
        }
    }

    #[test]
    fn long_names_lose_inner_arguments() {
        let long =
            "store::open<std::basic_string<char, std::char_traits<char>, std::allocator<char> > >";
        assert_eq!(shortened(long), "store::open<std::basic_string<…> >");
        let rust =
            "<store::Cache<alloc::vec::Vec<u8>, fn(u8) -> u8> as store::Keep<store::Key>>::keep";
        assert_eq!(shortened(rust), "<store::Cache<…> as store::Keep<…>>::keep");
        assert_eq!(shortened("store::open<a::B<c::D>>"), "store::open<a::B<c::D>>");
        for odd in ["operator<<".repeat(9), "a>b<c".repeat(20), "f->".repeat(30)] {
            assert_eq!(shortened(&odd), odd);
        }
    }

    #[test]
    fn what_unfolds_is_cut() {
        let mut long = "_ZN".to_owned();
        for _ in 0..300 {
            long.push_str("3foo");
        }
        long.push('E');
        assert!(demangled(&long).chars().count() <= MOST + 1);
        assert!(demangled(&"x".repeat(1 << 20)).chars().count() <= MOST + 1);
    }
}
