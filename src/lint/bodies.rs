//! The graphs of a package's bodies, built when they are asked for and kept.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::cfg::{self, Graph, LocalId, NodeId, NodeKind, Value};
use super::ir::{BodyId, Name};
use super::names::{FileId, FnId, StaticId};
use super::types::{Scope, Ty, World};

/// A body with its graph, and where it belongs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) graph: Graph,
    pub(crate) file: FileId,
    /// The function that it is, or lies in.
    pub(crate) function: Option<FnId>,
    /// The initialiser of a static or constant.
    pub(crate) of_static: Option<StaticId>,
    /// The body around, and the step there that makes this closure.
    pub(crate) parent: Option<(Rc<Self>, Option<NodeId>)>,
}

impl Site {
    /// The variable of the body around that this closure knows by a name. Arms and blocks beside
    /// it may have others of that name.
    pub(crate) fn outer(&self, name: Name) -> Option<LocalId> {
        let (parent, made) = self.parent.as_ref()?;
        let graph = &parent.graph;
        let named = |local: LocalId| graph.local(local).name == Some(name);
        let (to, captured) = match &graph.node((*made)?).kind {
            NodeKind::Assign { to, value: Value::Closure { captured, .. } } => (to.local, captured),
            _ => return None,
        };
        let taken = captured.iter().map(|&(local, _)| local).find(|&local| named(local));
        // Of a name for something else, that is what was taken.
        taken.or_else(|| (0..to.0).rev().map(LocalId).find(|&local| named(local)))
    }
}

/// See the module.
pub(crate) struct Bodies<'a> {
    pub(crate) world: &'a World<'a>,
    early_temporaries: bool,
    functions: RefCell<FxHashMap<FnId, Option<Rc<Site>>>>,
    nested: RefCell<FxHashMap<(FileId, BodyId), Rc<Site>>>,
}

impl<'a> Bodies<'a> {
    /// `early_temporaries`: edition 2024.
    pub(crate) fn new(world: &'a World<'a>, early_temporaries: bool) -> Self {
        Self { world, early_temporaries, functions: RefCell::default(), nested: RefCell::default() }
    }

    /// The body of a function.
    pub(crate) fn of_function(&self, id: FnId) -> Option<Rc<Site>> {
        if let Some(known) = self.functions.borrow().get(&id) {
            return known.clone();
        }
        let function = self.world.names.function(id);
        let head = self.world.scope(id);
        let site = function.body.map(|body| {
            let graph = self.graph(function.file, body, self.world.body_scope(id), head, None);
            let file = function.file;
            Rc::new(Site { graph, file, function: Some(id), of_static: None, parent: None })
        });
        self.functions.borrow_mut().insert(id, site.clone());
        site
    }

    /// The initialiser of a static.
    pub(crate) fn of_static(&self, id: StaticId) -> Option<Rc<Site>> {
        let def = &self.world.names.statics[id.0 as usize];
        let scope = World::module_scope(def.module);
        let graph = self.graph(def.file, def.body?, scope, scope, None);
        let file = def.file;
        Some(Rc::new(Site { graph, file, function: None, of_static: Some(id), parent: None }))
    }

    /// The body itself and all closures and async blocks in it.
    pub(crate) fn with_nested(&self, site: &Rc<Site>) -> Vec<Rc<Site>> {
        let mut all = vec![Rc::clone(site)];
        let mut next = 0;
        while let Some(at) = all.get(next).cloned() {
            next += 1;
            for nested in &at.graph.nested {
                all.push(self.nested(&at, nested));
            }
        }
        all
    }

    /// The closure or async block of a body that has this one.
    pub(crate) fn inner(&self, around: &Rc<Site>, body: BodyId) -> Option<Rc<Site>> {
        let nested = around.graph.nested.iter().find(|nested| nested.body == body)?;
        let found = self.nested(around, nested);
        // Asked for without a scope of its own, a body stands for itself.
        (!Rc::ptr_eq(&found, around)).then_some(found)
    }

    /// A closure or async block of a body.
    pub(crate) fn nested(&self, around: &Rc<Site>, nested: &cfg::Nested) -> Rc<Site> {
        let key = (around.file, nested.body);
        if let Some(known) = self.nested.borrow().get(&key) {
            return Rc::clone(known);
        }
        let scope = match (around.function, around.of_static) {
            (Some(id), _) => self.world.body_scope(id),
            (None, Some(id)) => World::module_scope(self.world.names.statics[id.0 as usize].module),
            (None, None) => return Rc::clone(around),
        };
        let site = Rc::new(Site {
            graph: self.graph(around.file, nested.body, scope, scope, Some(nested)),
            file: around.file,
            function: around.function,
            of_static: around.of_static,
            parent: Some((Rc::clone(around), nested.made)),
        });
        self.nested.borrow_mut().insert(key, Rc::clone(&site));
        site
    }

    fn graph(
        &self,
        file: FileId,
        body: BodyId,
        scope: Scope<'a>,
        head: Scope<'a>,
        nested: Option<&cfg::Nested>,
    ) -> Graph {
        let early_temporaries = self.early_temporaries;
        let world = self.world;
        let (outer, params): (&[(Name, Ty)], &[Ty]) =
            nested.map_or((&[], &[]), |nested| (&nested.outer, &nested.params));
        cfg::build(cfg::Request {
            world,
            file,
            body,
            scope,
            head,
            outer,
            params,
            early_temporaries,
        })
    }
}
