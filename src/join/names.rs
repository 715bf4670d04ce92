//! Functions as a running program calls them, and as the linter does.

/// Whether both are one function. A running program has the crate before it; `package` must be that
/// crate where it is given.
pub(super) fn same(running: &str, linted: &str, package: Option<&str>) -> bool {
    let running = bare(running);
    let Some((first, rest)) = running.split_once("::") else {
        // Lines alone come with bare names of inlined functions.
        return package.is_none() && !running.is_empty() && running == last(linted);
    };
    let fits = |package: &str| package.replace('-', "_") == first;
    rest == linted && package.is_none_or(fits)
}

fn last(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// A path without parameters: `a::B::c` of `<a::B<T> as d::E>::c`, and of `a::B<T>::c`.
fn bare(name: &str) -> String {
    let (mut out, mut depth) = (String::new(), 0_usize);
    let mut rest = name;
    if let Some(inner) = name.strip_prefix('<') {
        let Some(end) = closing(inner) else { return String::new() };
        let of = inner[..end].split_once(" as ").map_or(&inner[..end], |(of, _)| of);
        out = bare(of.trim_start_matches(['&', '*']).trim_start_matches("mut "));
        rest = &inner[end + 1..];
    }
    for c in rest.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    // `a::B::<T>::c` leaves two colons too many.
    while let Some(at) = out.find("::::") {
        out.replace_range(at..at + 2, "");
    }
    out.truncate(out.trim_end_matches(':').len());
    out
}

/// Where the bracket ends that was opened before.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_naming_a_function_agree() {
        for running in [
            "leak::db::Pool::get",
            "<leak::db::Pool>::get",
            "<leak::db::Pool as leak::db::Get>::get",
            "<leak::db::Pool<T> as leak::db::Get<U>>::get",
            "leak::db::Pool<alloc::vec::Vec<u8>>::get",
            "<leak::db::Pool>::get::<u8>",
        ] {
            assert!(same(running, "db::Pool::get", Some("leak")), "{running}");
        }
        assert!(same("my_leak::main", "main", Some("my-leak")));
        assert!(same("server::main", "main", None) && !same("server::main", "main", Some("leak")));
        assert!(same("get", "db::Pool::get", None) && !same("get", "db::Pool::get", Some("leak")));
        for other in ["", "main", "leak::get", "leak::db::Pool::get2", "<", "<leak::db", "::", ">>"]
        {
            assert!(!same(other, "db::Pool::get", Some("leak")), "{other}");
        }
    }
}
