//! Facts that ask for an argument: which of them hold for a call as it is written.

use crate::catalog::ApiId;
use crate::catalog::model::{Constant, Given};
use crate::lint::ir::{Lit, Name};
use crate::lint::types::Target;

use super::build::Builder;
use super::{NodeKind, Operand, Test};

impl Builder<'_> {
    /// Keeps those of the facts that hold for these arguments: one that asks for what is there
    /// replaces those that ask for nothing.
    pub(super) fn given(&self, target: Target, method: Option<Name>, args: &[Operand]) -> Target {
        let Target::Api(ids, path) = target else { return target };
        let asks = |id: ApiId| self.world.facts.api(id).fact.given.as_ref();
        if ids.iter().all(|&id| asks(id).is_none()) {
            return Target::Api(ids, path);
        }
        let (asking, plain): (Vec<ApiId>, Vec<ApiId>) =
            ids.iter().partition(|&&id| asks(id).is_some());
        let fits =
            |id: &ApiId| asks(*id).is_some_and(|given| self.is_given(given, args.get(given.arg)));
        let asking: Vec<ApiId> = asking.into_iter().filter(fits).collect();
        match (asking.is_empty(), plain.is_empty(), method) {
            (false, ..) => Target::Api(asking.into(), path),
            (true, false, _) => Target::Api(plain.into(), path),
            (true, true, Some(name)) => Target::Unknown(name),
            (true, true, None) => Target::Foreign(path),
        }
    }

    fn is_given(&self, given: &Given, arg: Option<&Operand>) -> bool {
        let Some(arg) = arg else { return false };
        if let Some(least) = given.at_least {
            return matches!(arg, Operand::Lit(Lit::Int(value)) if *value >= i128::from(least));
        }
        let named = |word| matches!(arg, Operand::Const(name) if name.as_str() == word);
        match given.is {
            Some(Constant::None) => named("None"),
            Some(Constant::Never) => named("Never"),
            Some(Constant::Max) => named("MAX"),
            Some(Constant::True) => *arg == Operand::Lit(Lit::Bool(true)),
            Some(Constant::False) => *arg == Operand::Lit(Lit::Bool(false)),
            Some(Constant::Fixed) => self.has_flag(arg, "FIXED"),
            Some(Constant::Zero) => is_zero(arg) || named("ZERO") || self.made_of_zero(arg),
            Some(Constant::Text) => self.is_text(arg),
            None => false,
        }
    }

    fn is_text(&self, arg: &Operand) -> bool {
        let ty = self.ty_of(arg);
        matches!(arg, Operand::Lit(Lit::Str(_)))
            || ty.path().is_some_and(|path| path.as_str() == "std::string::String")
    }

    /// Whether a constant whose name ends so is there: `A | MAP_FIXED`.
    fn has_flag(&self, arg: &Operand, word: &str) -> bool {
        match (arg, self.test_of(arg)) {
            (Operand::Const(name), _) => {
                name.as_str() == word || name.as_str().ends_with(&format!("_{word}"))
            }
            (_, Some(Test::Compare(_, left, right))) => {
                self.has_flag(&left, word) || self.has_flag(&right, word)
            }
            _ => false,
        }
    }

    /// `Duration::from_secs(0)` and the like.
    fn made_of_zero(&self, arg: &Operand) -> bool {
        let def = arg.place().and_then(|place| self.graph.local(place.local).def);
        let made = def.map(|def| &self.graph.node(def).kind);
        matches!(made, Some(NodeKind::Call(call))
            if call.name.as_str().starts_with("from_") && matches!(call.args.as_slice(), [arg] if is_zero(arg)))
    }
}

fn is_zero(arg: &Operand) -> bool {
    *arg == Operand::Lit(Lit::Int(0))
}
