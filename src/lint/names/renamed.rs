//! `use module::function as other`: who mentions the other name means the function.

use rustc_hash::FxHashMap;

use crate::lint::ir::Name;

use super::Names;

/// Adds to what bodies mention the names that things had before they were imported by another one.
pub(super) fn mention(names: &mut Names) {
    let mut before: FxHashMap<Name, Vec<Name>> = FxHashMap::default();
    for (name, import) in names.modules.iter().flat_map(|module| &module.imports) {
        for import in import {
            if let Some(&last) = import.path.last()
                && last != *name
                && !before.get(name).is_some_and(|known| known.contains(&last))
            {
                before.entry(*name).or_default().push(last);
            }
        }
    }
    if before.is_empty() {
        return;
    }
    for body in names.sources.iter_mut().flat_map(|source| &mut source.file.bodies) {
        if !body.mentions.iter().any(|name| before.contains_key(name)) {
            continue;
        }
        let mut mentions = body.mentions.to_vec();
        let mut next = 0;
        // A name may have been another one before that, too.
        while let Some(name) = mentions.get(next) {
            next += 1;
            for &meant in before.get(name).into_iter().flatten() {
                if !mentions.contains(&meant) {
                    mentions.push(meant);
                }
            }
        }
        body.mentions = mentions.into();
    }
}
