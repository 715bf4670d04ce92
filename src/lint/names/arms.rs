//! Which bodies a call of a function may run: its twins under other cfgs, what implements a trait's.

use super::{Def, FnId, ModId, Names, Shape, Space, TypeId};

impl Names {
    /// The functions outside of tests that a call of this one may run, itself first.
    pub(crate) fn arms(&self, id: FnId) -> Vec<FnId> {
        let named = self.by_name.get(&self.function(id).name);
        let others = named.into_iter().flatten().copied();
        let declared = self.is_declared_in_trait(id);
        let others = others.filter(|&other| {
            other != id
                && !self.is_of_tests(other)
                && (self.are_twins(id, other)
                    || declared && self.declared_in_trait(other) == Some(id))
        });
        std::iter::once(id).chain(others).collect()
    }

    /// The function of a trait of the package that a method of an impl is put in for.
    pub(crate) fn declared_in_trait(&self, id: FnId) -> Option<FnId> {
        let function = self.function(id);
        function.of.as_ref()?;
        let path = function.of_trait.as_ref()?;
        let Some(Def::Type(of)) = self.def(function.module, path, Space::Type) else { return None };
        let def = self.type_def(of);
        let declared =
            def.methods.get(&function.name).filter(|_| matches!(def.shape, Shape::Trait));
        declared?.first().copied()
    }

    /// Whether it stands in a trait itself.
    fn is_declared_in_trait(&self, id: FnId) -> bool {
        let of = self.function(id).of_type;
        of.is_some_and(|of| matches!(self.type_def(of).shape, Shape::Trait))
    }

    fn is_of_tests(&self, id: FnId) -> bool {
        let function = self.function(id);
        function.test || self.module(function.module).test
    }

    /// Whether both are declared under the same path, for different cfgs.
    fn are_twins(&self, left: FnId, right: FnId) -> bool {
        let (one, other) = (self.function(left), self.function(right));
        let name = |of: Option<&crate::lint::ir::Path>| Some(of?.last()?.name);
        let same_owner = match (one.of_type, other.of_type) {
            (Some(one), Some(other)) => self.same_type(one, other),
            (None, None) => one.of.is_none() && other.of.is_none(),
            _ => false,
        };
        same_owner
            && one.within == other.within
            && name(one.of_trait.as_ref()) == name(other.of_trait.as_ref())
            && (one.of_type.is_some() || self.same_module(one.module, other.module))
    }

    fn same_type(&self, left: TypeId, right: TypeId) -> bool {
        let (one, other) = (self.type_def(left), self.type_def(right));
        left == right || one.name == other.name && self.same_module(one.module, other.module)
    }

    fn same_module(&self, mut left: ModId, mut right: ModId) -> bool {
        while left != right {
            let (one, other) = (self.module(left), self.module(right));
            match (one.parent, other.parent) {
                (Some(up), Some(beside)) if one.name == other.name => (left, right) = (up, beside),
                _ => return false,
            }
        }
        true
    }
}
