//! Mutants of types that own something, and of crates that take pointers back.

use crate::body::{Bytes, File, Type};
use crate::kinds::OWNERS;
use crate::rules::RAW_OWNER;
use crate::sites::{Place, Site};

/// Types that own something, without the Drop or the calls that release it.
pub(crate) fn types(file: &File, files: &[File], sites: &mut Vec<Site>) {
    for owner in &file.types {
        for (of, names, rules) in OWNERS {
            let Some((field, _)) = owner.fields.iter().find(|(_, kind)| {
                kind.contains(of)
                    && !kind.contains("fn(")
                    && (of != "Child" || kind.ends_with("Child") || kind.ends_with("Child>"))
            }) else {
                continue;
            };
            if ends_with_owner(owner, of, file, files) {
                continue;
            }
            let impls: Vec<_> = file.impls.iter().filter(|item| item.of == owner.name).collect();
            let within = |bytes: &Bytes| {
                impls
                    .iter()
                    .any(|item| item.bytes.start <= bytes.start && bytes.end <= item.bytes.end)
            };
            let scope = std::iter::once(owner.lines).chain(impls.iter().map(|item| item.lines));
            let scope = || scope.clone().map(|lines| (file.path.clone(), lines)).collect();
            let site = |kind, line, edits| Site {
                kind,
                rules,
                path: file.path.clone(),
                line,
                function: owner.name.clone(),
                edits,
                scope: scope(),
            };
            let dropped = impls.iter().find(|item| item.drop);
            // A join stops nothing: without it the thread ends as it did, and nobody waits.
            let dropped = dropped.filter(|item| of != "JoinHandle" || stops(file, &item.bytes));
            let names = match (of, dropped) {
                ("JoinHandle", None) => &["abort"],
                _ => names,
            };
            let calls: Vec<_> = file
                .functions
                .iter()
                .filter(|function| within(&function.bytes))
                .flat_map(|function| {
                    function
                        .calls
                        .iter()
                        .filter(|call| {
                            let of_field = file.at(&call.bytes).contains(&format!(".{field}"));
                            names.contains(&&*call.name) && (of_field || dropped.is_some())
                        })
                        .map(move |call| Place { file, function }.without(call))
                })
                .collect();
            if let Some(item) = dropped
                && calls.iter().any(|(bytes, _)| item.bytes.contains(&bytes.start))
            {
                sites.push(site(
                    "drop-impl",
                    item.lines.0,
                    vec![(item.bytes.clone(), String::new())],
                ));
            } else if dropped.is_none() && !calls.is_empty() {
                sites.push(site("field-release", owner.lines.0, calls));
            }
        }
    }
}

/// Whether what is owned ends with its owner, Drop impl or not: a task that is fed by the owner's side of
/// a channel, or a child of a runtime that was told to kill it.
fn ends_with_owner(owner: &Type, of: &str, file: &File, files: &[File]) -> bool {
    let holds = |word: &str| owner.fields.iter().any(|(_, kind)| kind.contains(word));
    match of {
        "JoinHandle" => {
            let own = |kind: &str| {
                let shared = ["oneshot", "broadcast", "watch", "Arc<", "HashMap"];
                kind.contains("Sender<") && !shared.iter().any(|word| kind.contains(word))
            };
            let sends = owner.fields.iter().any(|(_, kind)| own(kind));
            let waits = [".recv()", "recv_timeout("].iter().any(|word| file.text.contains(word));
            // Whoever asks for a flag goes on until it is set.
            sends && waits && !holds("AtomicBool")
        }
        "Child" => {
            let told = |file: &File| file.text.contains(".kill_on_drop(true)");
            !holds("std::process")
                && !file.text.contains("std::process::Child")
                && files.iter().any(told)
        }
        _ => false,
    }
}

/// Whether a Drop impl does more than wait: it tells what it waits for to end.
fn stops(file: &File, drop: &Bytes) -> bool {
    const WAITS: [&str; 10] =
        ["take", "join", "unwrap", "expect", "ok", "is_some", "is_ok", "is_finished", "Some", "Ok"];
    let mut calls = file.functions.iter().flat_map(|function| &function.calls);
    calls.any(|call| drop.contains(&call.bytes.start) && !WAITS.contains(&&*call.name))
}

/// The only place of a crate that takes an owner back from a pointer.
pub(crate) fn only_take_back(files: &[File], sites: &mut Vec<Site>) {
    for owner in ["Box", "Arc", "Rc", "CString"] {
        let find = |name: &str| {
            let mut found = Vec::new();
            for file in files {
                for function in &file.functions {
                    for call in &function.calls {
                        let path = call.path.replace("::<", "<");
                        let of = path.split("::").find(|part| part.starts_with(owner));
                        if call.name == name && of.is_some() {
                            found.push((Place { file, function }, call));
                        }
                    }
                }
            }
            found
        };
        let (taken, given) = (find("from_raw"), find("into_raw"));
        if let [(place, call)] = &taken[..]
            && !given.is_empty()
        {
            let mut site =
                place.site("only-take-back", RAW_OWNER, call.line, vec![place.without(call)]);
            site.scope = given
                .iter()
                .map(|(place, _)| (place.file.path.clone(), place.function.lines))
                .collect();
            sites.push(site);
        }
    }
}
