//! Closures that methods run on what is in a collection: the types of their parameters.

use crate::lint::ir::Name;
use crate::lint::types::Ty;

use super::Operand;
use super::build::Builder;

impl Builder<'_> {
    /// Tells closures among the arguments what a method of this name calls them with.
    pub(super) fn run_on_each(&mut self, collection: &Ty, name: Name, args: &[Operand]) {
        let Some(before) = parameters_before(name.as_str()) else { return };
        let closures = args.iter().filter_map(|arg| self.graph.local(arg.place()?.local).closure);
        let closures: Vec<_> = closures.collect();
        if closures.is_empty() || collection.is_result() || collection.is_option() {
            return;
        }
        let given = match (self.entry(collection), name.as_str()) {
            (Some((key, value)), "retain") => vec![key, value],
            (Some((key, value)), _) => vec![Ty::Tuple(vec![key, value])],
            (None, _) => vec![lent(self.element(collection))],
        };
        if given == [Ty::Unknown] {
            return;
        }
        let params: Vec<Ty> = std::iter::repeat_n(Ty::Unknown, before).chain(given).collect();
        for nested in self.graph.nested.iter_mut().filter(|nested| closures.contains(&nested.body))
        {
            nested.params.clone_from(&params);
        }
    }

    /// Key and value of a map.
    fn entry(&self, ty: &Ty) -> Option<(Ty, Ty)> {
        self.world.reach(ty).into_iter().find_map(|ty| match ty {
            Ty::Foreign(path, args) if path.as_str().ends_with("Map") => {
                match <[Ty; 2]>::try_from(args) {
                    Ok([key, value]) => Some((lent(key), lent(value))),
                    Err(_) => None,
                }
            }
            _ => None,
        })
    }
}

/// By reference: whether a closure is given what is in a collection or only lent it, nobody asks.
fn lent(ty: Ty) -> Ty {
    match ty {
        Ty::Unknown | Ty::Ref(_) => ty,
        other => Ty::Ref(Box::new(other)),
    }
}

/// How many parameters stand before the element, of methods that call a closure with each element.
fn parameters_before(name: &str) -> Option<usize> {
    match name {
        "map"
        | "for_each"
        | "filter"
        | "filter_map"
        | "flat_map"
        | "find"
        | "find_map"
        | "any"
        | "all"
        | "position"
        | "inspect"
        | "retain"
        | "partition"
        | "take_while"
        | "skip_while"
        | "map_while"
        | "try_for_each"
        | "for_each_concurrent"
        | "try_for_each_concurrent"
        | "max_by_key"
        | "min_by_key"
        | "sort_by_key"
        | "sort_by_cached_key" => Some(0),
        "fold" | "try_fold" | "scan" => Some(1),
        _ => None,
    }
}
