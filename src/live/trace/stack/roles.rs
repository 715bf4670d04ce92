//! Whose code a frame is, by what is known of runtimes, libraries and pools.

use std::sync::Arc;

use super::frames::{Role, Through};
use super::names::around_lambda;
use crate::catalog::frames::{FrameRole, FrameRule, known};

/// What a frame is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Demangled.
    pub(super) function: Option<&'a str>,
    /// Its source file.
    pub(super) file: Option<&'a str>,
    /// The file that holds its code: name, and path.
    pub(super) module: (&'a str, &'a str),
}

/// Whose code it is: by its name, else by where its source lies, else by the file that it is in.
pub(super) fn role(frame: Known<'_>) -> Role {
    let named = frame.function.and_then(|function| by_function(function, frame.file));
    if let Some(role) = named {
        return role;
    }
    if let Some(role) = frame.file.and_then(by_source) {
        return role;
    }
    let (name, path) = frame.module;
    let module = |rule: &&FrameRule| {
        rule.modules.iter().any(|module| is_module(name, module))
            || rule.folders.iter().any(|folder| path.starts_with(folder.as_str()))
    };
    // What names the file says more than what names its folder.
    let mut rules: Vec<_> = known().iter().filter(module).collect();
    rules.sort_by_key(|rule| !rule.folders.is_empty());
    match rules.first() {
        Some(rule) => of_rule(rule, name),
        None if frame.function.is_some() => Role::User,
        None => Role::Unknown,
    }
}

/// The function around a lambda of the program that a template of a runtime was made for: no frame of
/// the lambda's own is within, so it has become a part of this one.
pub(super) fn of_lambda(function: &str) -> Option<&str> {
    let around = around_lambda(function)?;
    let role = by_function(function, None)?;
    let runtime = matches!(role, Role::Runtime | Role::Trampoline);
    (runtime && by_function(around, None).is_none()).then_some(around)
}

/// By the rule whose beginning fits best.
fn by_function(function: &str, file: Option<&str>) -> Option<Role> {
    let key = key(function);
    let mut best: Option<(usize, Role)> = None;
    for rule in known() {
        let starts = |names: &[String]| {
            let fitting = names.iter().filter(|name| key.starts_with(name.as_str()));
            fitting.map(String::len).max()
        };
        // A function of the program may have the same bare name; its source tells.
        let path = function.contains("::") || function.contains('.');
        let whole = (file.is_none() || path) && rule.names.iter().any(|name| name == function);
        let whole = whole.then_some(function.len());
        let length = starts(&rule.functions).max(whole);
        let part = [
            (starts(&rule.makers), Role::Maker(through(rule))),
            (starts(&rule.founders), Role::Founder),
            (starts(&rule.trampolines), Role::Trampoline),
        ];
        let part = part.into_iter().find_map(|(part, role)| Some((part?, role)));
        let found = match (length, part) {
            (length, Some((part, role))) if Some(part) >= length => Some((part, role)),
            (Some(length), _) => Some((length, of_rule(rule, &rule.called))),
            (None, _) => None,
        };
        if let Some(found) = found
            && best.as_ref().is_none_or(|best| found.0 > best.0)
        {
            best = Some(found);
        }
    }
    best.map(|(_, role)| role)
}

/// By the folder that sources of libraries lie in; what is known of the library by name counts.
fn by_source(path: &str) -> Option<Role> {
    for rule in known() {
        for source in &rule.sources {
            let Some(name) = source.library(path) else { continue };
            return Some(match by_function(&module_path(&name, path), None) {
                // The folder knows its name.
                None | Some(Role::Library(_)) => of_rule(rule, &name),
                Some(known) => known,
            });
        }
    }
    None
}

/// What functions of a source file begin with: `sqlx_core::pool::inner::` of `…/src/pool/inner.rs`.
fn module_path(library: &str, path: &str) -> String {
    let inside = path.rsplit_once("/src/").map_or("", |(_, inside)| inside);
    let inside = inside.strip_suffix(".rs").unwrap_or_default();
    let parts = inside.split('/').filter(|part| !["", "mod", "lib", "main"].contains(part));
    let mut whole = format!("{library}::");
    for part in parts {
        whole.push_str(part);
        whole.push_str("::");
    }
    whole
}

/// What a name is looked up by: of `<a::B as c::D>::e` the type, unless that is a parameter.
fn key(function: &str) -> &str {
    let Some(inner) = function.strip_prefix('<') else { return function };
    let bare = |text: &str| -> usize {
        let without = text.trim_start_matches(['&', '<', '(', '[', '*', ' ']);
        text.len() - without.len()
    };
    let mut this = &inner[bare(inner)..];
    for word in ["mut ", "const ", "dyn ", "impl "] {
        this = this.strip_prefix(word).unwrap_or(this);
    }
    let head = this.split([' ', '>']).next().unwrap_or(this);
    match inner.split_once(" as ") {
        Some((_, of)) if !head.contains("::") => of,
        _ => this,
    }
}

fn is_module(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| {
        module.ends_with('-')
            || rest.is_empty()
            || rest.starts_with(|c: char| c == '.' || c.is_ascii_digit())
    })
}

fn of_rule(rule: &FrameRule, name: &str) -> Role {
    match rule.role {
        FrameRole::Runtime => Role::Runtime,
        FrameRole::Interpreter => Role::Interpreter(Arc::clone(&rule.called)),
        FrameRole::Library => Role::Library(name.into()),
        FrameRole::Pool => Role::Pool(through(rule)),
    }
}

fn through(rule: &FrameRule) -> Through {
    Through {
        name: Arc::clone(&rule.called),
        families: Arc::clone(&rule.families),
        founded: !rule.founders.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(function: &str, file: Option<&str>) -> Role {
        role(Known { function: Some(function), file, module: ("service", "/srv/service") })
    }

    fn pool_called(role: &Role) -> Option<&str> {
        match role {
            Role::Pool(through) | Role::Maker(through) => Some(&through.name),
            _ => None,
        }
    }

    #[test]
    fn runtimes_and_own_code_are_told_apart_by_name() {
        for runtime in [
            "std::fs::File::open",
            "<std::fs::File as std::io::Read>::read",
            "<&mut std::fs::File as std::io::Read>::read",
            "tokio::net::tcp::stream::TcpStream::connect",
            "net.(*netFD).dial",
            "runtime.goexit",
            "open64",
        ] {
            assert_eq!(of(runtime, None), Role::Runtime, "{runtime}");
        }
        for own in [
            "leak::serve",
            "main.leak",
            "open_it",
            "<leak::Guard as core::ops::drop::Drop>::drop",
            "stdx::open",
            "open_file",
            "netstat.Read",
        ] {
            assert_eq!(of(own, None), Role::User, "{own}");
        }
    }

    #[test]
    fn what_calls_back_is_told_apart() {
        for back in [
            "core::ops::function::FnOnce::call_once{{vtable.shim}}",
            "<F as core::ops::function::FnOnce<A>>::call_once",
            "std::thread::LocalKey<T>::with",
            "tokio::runtime::task::raw::poll",
            "std::__invoke_impl<void, void (*)()>",
        ] {
            assert_eq!(of(back, None), Role::Trampoline, "{back}");
        }
        let lambda = "std::_Function_handler<void (), store::serve()::{lambda()#1}>::_M_invoke";
        assert_eq!(of_lambda(lambda), Some("store::serve"));
        // A lambda of the library, and a template of the program.
        assert_eq!(of_lambda("std::call<std::once()::{lambda()#1}>"), None);
        assert_eq!(of_lambda("store::run<main::{lambda()#1}>"), None);
    }

    #[test]
    fn a_library_may_have_a_part_that_pools() {
        assert!(matches!(of("redis::client::Client::get_connection", None), Role::Library(_)));
        let manager = of("redis::aio::connection_manager::ConnectionManager::new", None);
        assert_eq!(pool_called(&manager), Some("the connection manager of redis"));
        assert!(matches!(of("<tempfile::NamedTempFile>::new", None), Role::Library(_)));
    }

    #[test]
    fn a_bare_name_is_the_c_librarys_only_without_a_source() {
        assert_eq!(of("open", None), Role::Runtime);
        assert_eq!(of("open", Some("/srv/src/db.rs")), Role::User);
    }

    #[test]
    fn pools_are_known_by_name_or_by_where_their_source_lies() {
        for (function, pool) in [
            ("sqlx_core::pool::inner::PoolInner<DB>::connect", "sqlx"),
            ("r2d2::add_connection", "r2d2"),
            ("deadpool::managed::Pool<M,W>::try_create", "deadpool"),
            ("hyper_util::client::legacy::client::Client<C,B>::connect_to", "the client of hyper"),
            ("database/sql.(*DB).openNewConnection", "database/sql"),
            ("net/http.(*Transport).dialConn", "net/http of Go"),
        ] {
            assert_eq!(pool_called(&of(function, None)), Some(pool), "{function}");
        }
        let file = "/root/.cargo/registry/src/index.crates.io-1/sqlx-core-0.8.2/src/pool/inner.rs";
        assert_eq!(pool_called(&of("connect", Some(file))), Some("sqlx"));
        let other = "/root/.cargo/registry/src/index.crates.io-1/tungstenite-0.2/src/client.rs";
        assert_eq!(of("connect", Some(other)), Role::Library("tungstenite".into()));
        let std = "/rustc/0123/library/std/src/fs.rs";
        assert_eq!(of("open", Some(std)), Role::Runtime);
    }

    #[test]
    fn files_that_hold_the_code_decide_last() {
        let module = |name: &str, path: &str, function| {
            role(Known { function, file: None, module: (name, path) })
        };
        assert_eq!(module("libc.so.6", "/usr/lib/libc.so.6", None), Role::Runtime);
        assert_eq!(
            module("libpython3.11.so.1.0", "/usr/lib/libpython3.11.so.1.0", Some("PyEval")),
            Role::Interpreter("Python".into())
        );
        assert_eq!(
            module("libssl.so.3", "/usr/lib/libssl.so.3", Some("BIO_connect")),
            Role::Library("libssl.so.3".into())
        );
        assert_eq!(module("node-service", "/srv/node-service", Some("serve")), Role::User);
        assert_eq!(module("service", "/srv/service", None), Role::Unknown);
    }
}
