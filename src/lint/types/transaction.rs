//! Transactions of the package itself: types that are either committed or undone.

use crate::lint::ir::{Name, Receiver};
use crate::lint::names::{FnId, Shape, TypeDef, TypeId};

use super::{Ty, World};

/// The class of what such a type holds.
pub(crate) const CLASS: &str = "transaction";

/// The method that keeps what was done.
pub(crate) const KEEPS: &str = "commit";

/// Methods that undo it; a type without one is no transaction.
const UNDOES: [&str; 4] = ["rollback", "abort", "cancel", "discard"];

/// Words in the name of a function that begins one.
const BEGINS: [&str; 3] = ["begin", "transaction", "txn"];

/// Words of such that only read, and have nothing to keep.
const READS: [&str; 3] = ["read", "snapshot", "view"];

/// Transactions in fields of transactions.
const WRAPPED: u32 = 2;

/// What a call gives that may fail, and whether it is in a Result or Option.
pub(crate) fn held(given: &Ty) -> (Ty, bool) {
    match given.yielded().payload() {
        Ty::Unknown => (given.yielded().clone(), false),
        payload => (payload, true),
    }
}

/// Whether a method of this name undoes what was done.
pub(crate) fn undoes(name: &str) -> bool {
    UNDOES.contains(&name)
}

/// Whether what is asked for by this name only reads.
pub(crate) fn reads(name: &str) -> bool {
    let name = name.to_lowercase();
    READS.iter().any(|word| name.contains(word)) && !name.contains("write")
}

impl World<'_> {
    /// The transaction that calling a function of the package begins, when it gives such a type,
    /// and whether all that ends it takes it by value.
    pub(crate) fn own_transaction(&self, id: FnId, given: &Ty) -> Option<(TypeId, bool)> {
        let of = self.reach(given).iter().find_map(|ty| match ty {
            Ty::Own(of, _) => Some(*of),
            // Of several traits, the one that keeps what was done.
            Ty::Traits(traits) => traits.iter().find_map(|ty| match ty {
                Ty::Own(of, _) if self.keeps(*of) => Some(*of),
                _ => None,
            }),
            _ => None,
        })?;
        let name = self.names.function(id).name.as_str();
        let def = self.names.type_def(of);
        let has = |word: &str| def.methods.contains_key(&Name::new(word));
        let says = |words: &[&str], text: &str| words.iter().any(|word| text.contains(word));
        let fits = !given.is_ref()
            && says(&BEGINS, name)
            && !says(&READS, name)
            && !says(&READS, &def.name.as_str().to_lowercase())
            && has(KEEPS)
            && UNDOES.iter().any(|word| has(word))
            // Several owners: another of them may end it.
            && !def.implements("Clone")
            && !self.keeps_when_dropped(def);
        if !fits {
            return None;
        }
        let mut ends = def.methods.values().flatten().filter(|&&id| self.ends_own(id));
        let by_value = ends.all(|&id| self.receiver_of(id) == Receiver::Value);
        Some((of, by_value))
    }

    fn keeps(&self, id: TypeId) -> bool {
        self.names.type_def(id).methods.contains_key(&Name::new(KEEPS))
    }

    /// The functions that begin transactions of the package.
    pub(crate) fn own_transactions(&self) -> Vec<FnId> {
        let keeps = Name::new(KEEPS);
        // Most packages have no such type.
        if !self.names.types.iter().any(|def| def.methods.contains_key(&keeps)) {
            return Vec::new();
        }
        let begins = |id: &FnId| {
            let function = self.names.function(*id);
            let name = function.name.as_str();
            BEGINS.iter().any(|word| name.contains(word)) && {
                let given = self.ty(&function.sig.returns, self.scope(*id));
                self.own_transaction(*id, &held(&given).0).is_some()
            }
        };
        self.names.fn_ids().filter(begins).collect()
    }

    /// Whether a method of such a type ends it: by its name, or by taking it.
    pub(crate) fn ends_own(&self, id: FnId) -> bool {
        let name = self.names.function(id).name.as_str();
        name == KEEPS || UNDOES.contains(&name) || self.receiver_of(id) == Receiver::Value
    }

    /// Whether its Drop commits.
    fn keeps_when_dropped(&self, def: &TypeDef) -> bool {
        self.drop_says(def, &[KEEPS])
    }

    /// Whether its Drop undoes what was done, or that of all who implement the trait: then it is a
    /// transaction by more than its name.
    pub(crate) fn undoes_when_dropped(&self, id: TypeId) -> bool {
        let def = self.names.type_def(id);
        if !matches!(def.shape, Shape::Trait) {
            return self.undoes(def, WRAPPED);
        }
        let mut all = self.names.types.iter().filter(|of| of.implements(def.name.as_str()));
        all.clone().next().is_some() && all.all(|of| self.undoes(of, WRAPPED))
    }

    /// Whether both its ends hand the same on to what it wraps: then it is a transaction by more
    /// than its name.
    pub(crate) fn wraps_transaction(&self, id: TypeId) -> bool {
        let def = self.names.type_def(id);
        let hands_on = |word: &str| {
            let name = Name::new(word);
            def.methods.get(&name).into_iter().flatten().any(|&id| {
                let body = self.names.body_of(self.names.function(id));
                body.is_some_and(|body| body.mentions.contains(&name))
            })
        };
        hands_on(KEEPS) && UNDOES.iter().any(|word| hands_on(word))
    }

    /// Whether its Drop, or that of what is in one of its fields, undoes what was done.
    fn undoes(&self, def: &TypeDef, depth: u32) -> bool {
        let in_field = || match &def.shape {
            Shape::Struct(fields) => fields.iter().any(|(_, ty, _)| {
                let held = self.ty(ty, World::module_scope(def.module));
                matches!(held, Ty::Own(of, _) if self.undoes(self.names.type_def(of), depth - 1))
            }),
            _ => false,
        };
        self.drop_says(def, &UNDOES) || depth > 0 && in_field()
    }

    /// Whether a name in the Drop of a type has one of these words in it.
    fn drop_says(&self, def: &TypeDef, words: &[&str]) -> bool {
        let says = |name: &Name| words.iter().any(|word| name.as_str().contains(word));
        let drops = def.traits.iter().filter(|(of, _)| of.as_str() == "Drop");
        drops.flat_map(|(_, methods)| methods).any(|&id| {
            let body = self.names.body_of(self.names.function(id));
            body.is_some_and(|body| body.mentions.iter().any(says))
        })
    }
}
