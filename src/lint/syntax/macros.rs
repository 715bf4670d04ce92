//! Lowers macro calls: bodies that hold expressions are read, others keep only their names.

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Token};

use crate::catalog::model::MacroGrammar;
use crate::lint::ir::{
    Attrs, BlockKind, Branch, ExprId, ExprKind, Item, ItemKind, Lit, MacroBody, MacroCall,
    MacroDef, Name, Path, Span,
};

use super::{Lowering, attrs, expr, json, name, path, span};

/// Names kept of a macro that is not understood.
const NAMES: usize = 4096;

impl Lowering<'_> {
    pub(super) fn macro_call(&mut self, mac: &syn::Macro) -> ExprId {
        let at = expr::path_span(&mac.path).to(span(mac.delimiter.span().close()));
        let path = path::path(&mac.path, None);
        let Some(last) = path.last().map(|last| last.name) else {
            return self.push(ExprKind::Unknown, at);
        };
        self.mention(last);
        if last.as_str() == "cfg"
            && let Some(holds) = attrs::holds(mac.tokens.clone())
        {
            return self.push(ExprKind::Lit(Lit::Bool(holds)), at);
        }
        let grammar = self.grammars.get(&last).copied();
        let body = match grammar {
            Some(MacroGrammar::Select) => select(self, &mac.tokens),
            Some(MacroGrammar::Try) => {
                if let Ok(inner) = syn::parse2::<Expr>(mac.tokens.clone()) {
                    let inner = self.expr(&inner);
                    return self.push(ExprKind::Try(inner), at);
                }
                None
            }
            Some(MacroGrammar::Matches) => self.matches(&mac.tokens),
            Some(MacroGrammar::Block) => return self.macro_block(mac, at),
            Some(MacroGrammar::Defer) => self.defer(mac, at),
            Some(MacroGrammar::Items) => None,
            Some(MacroGrammar::Json) => json::expressions(&mac.tokens).map(|values| {
                let args = self.list(&values);
                MacroBody::Known { grammar: MacroGrammar::Format, args }
            }),
            Some(grammar) => self.known(grammar, &mac.tokens),
            None => self.unknown(&mac.tokens),
        };
        let body = body.unwrap_or_else(|| {
            let names = idents(&mac.tokens);
            for &name in &names {
                self.mention(name);
            }
            MacroBody::Opaque(names.into())
        });
        self.push(ExprKind::Macro { path: Box::new(path), body }, at)
    }

    fn known(&mut self, grammar: MacroGrammar, tokens: &TokenStream) -> Option<MacroBody> {
        use MacroGrammar::{Assert, Format, Never, Return};
        if matches!(grammar, Assert | Format | Never | Return) && only_names(tokens) {
            return Some(self.looks_at(grammar, tokens));
        }
        let args = expressions(tokens)?;
        let args = self.list(&args);
        Some(MacroBody::Known { grammar, args })
    }

    /// A macro nobody told us about: one that starts with a string borrows the rest, as format
    /// macros do; one that reads as expressions may do anything with them.
    fn unknown(&mut self, tokens: &TokenStream) -> Option<MacroBody> {
        if tokens.is_empty() {
            return Some(MacroBody::List(Box::default()));
        }
        let first = tokens.clone().into_iter().next();
        if matches!(&first, Some(TokenTree::Literal(first)) if first.to_string().starts_with('"'))
            && only_names(tokens)
        {
            return Some(self.looks_at(MacroGrammar::Format, tokens));
        }
        let args = expressions(tokens)?;
        let text =
            matches!(args.first(), Some(Expr::Lit(first)) if matches!(first.lit, syn::Lit::Str(_)));
        let args = self.list(&args);
        Some(if text {
            MacroBody::Known { grammar: MacroGrammar::Format, args }
        } else {
            MacroBody::List(args)
        })
    }

    /// A body that only borrows names: nothing of it can matter but that it mentions them.
    fn looks_at(&mut self, grammar: MacroGrammar, tokens: &TokenStream) -> MacroBody {
        let names = idents(tokens);
        for &name in &names {
            self.mention(name);
        }
        let text = (grammar == MacroGrammar::Format).then(|| self.address(tokens, names.first()));
        MacroBody::Known { grammar, args: text.into_iter().flatten().collect() }
    }

    /// The text that a format macro starts with, and the constant that is put in first, where they
    /// could be an address: of others nobody asks.
    fn address(&mut self, tokens: &TokenStream, put_in: Option<&Name>) -> Vec<ExprId> {
        let Some(TokenTree::Literal(first)) = tokens.clone().into_iter().next() else {
            return Vec::new();
        };
        let shown = first.to_string();
        let Some(text) = shown.strip_prefix('"') else { return Vec::new() };
        let put_in = put_in.filter(|name| text.contains('{') && is_constant(name.as_str()));
        let address = text.starts_with(|c: char| c.is_ascii_digit() || c == '[')
            || text.starts_with("localhost")
            || text.contains("://")
            || text.starts_with('{') && put_in.is_some();
        let literal = address.then(|| syn::parse2::<syn::LitStr>(TokenTree::from(first).into()));
        let Some(Ok(literal)) = literal else { return Vec::new() };
        let at = span(literal.span());
        let mut args = vec![self.push(ExprKind::Lit(expr::literal(&syn::Lit::Str(literal))), at)];
        args.extend(
            put_in.map(|&name| self.push(ExprKind::Path(Box::new(Path::single(name))), at)),
        );
        args
    }

    fn matches(&mut self, tokens: &TokenStream) -> Option<MacroBody> {
        let read = |input: ParseStream<'_>| {
            let subject: Expr = input.parse()?;
            input.parse::<TokenStream>()?;
            Ok(subject)
        };
        let subject = read.parse2(tokens.clone()).ok()?;
        let args = Box::new([self.expr(&subject)]);
        Some(MacroBody::Known { grammar: MacroGrammar::Matches, args })
    }

    fn defer(&mut self, mac: &syn::Macro, at: Span) -> Option<MacroBody> {
        let stmts = syn::Block::parse_within.parse2(mac.tokens.clone()).ok()?;
        let block = self.statements(&stmts, at);
        Some(MacroBody::Known { grammar: MacroGrammar::Defer, args: Box::new([block]) })
    }

    /// A body of statements that runs on its own, such as an async generator.
    fn macro_block(&mut self, mac: &syn::Macro, at: Span) -> ExprId {
        let Ok(stmts) = syn::Block::parse_within.parse2(mac.tokens.clone()) else {
            let names = idents(&mac.tokens).into();
            let path = Box::new(path::path(&mac.path, None));
            return self.push(ExprKind::Macro { path, body: MacroBody::Opaque(names) }, at);
        };
        let body = self.body(at, true, true, |this| (Vec::new(), this.statements(&stmts, at)));
        self.push(ExprKind::Async { body }, at)
    }

    fn statements(&mut self, stmts: &[syn::Stmt], at: Span) -> ExprId {
        let (stmts, tail) = self.stmts(stmts);
        self.push(ExprKind::Block { kind: BlockKind::Plain, label: None, stmts, tail }, at)
    }

    /// A macro where items stand: those in its body that parse as items. One that nobody told us
    /// about and that holds nothing else only puts attributes on them (`cfg_net! { mod tcp; }`).
    pub(super) fn macro_items(&mut self, mac: &syn::Macro, attrs: Attrs, into: &mut Vec<Item>) {
        let Some(last) = mac.path.segments.last() else { return };
        match self.grammars.get(&name(&last.ident)) {
            Some(MacroGrammar::Items) => {}
            Some(_) => return,
            None => {
                match plain_items(mac) {
                    Some(items) => items.iter().for_each(|item| self.item(item, into)),
                    None => {
                        let kind = ItemKind::Expanded(MacroCall { idents: idents(&mac.tokens) });
                        let (name, span) = (name(&last.ident), span(last.ident.span()));
                        into.push(Item { name, kind, attrs, public: false, span });
                    }
                }
                return;
            }
        }
        item_groups(&without_ref(&mac.tokens), &mut |tokens| {
            if let Ok(file) = syn::parse2::<syn::File>(tokens) {
                for item in &file.items {
                    self.item(item, into);
                }
                return true;
            }
            false
        });
    }
}

/// `static ref NAME: T` of lazy statics as `static NAME: T`: that is what they are used as.
fn without_ref(tokens: &TokenStream) -> TokenStream {
    let mut after_static = false;
    let kept = tokens.clone().into_iter().filter(|token| {
        let is = |word: &str| matches!(token, TokenTree::Ident(ident) if ident == word);
        let lazy = after_static && is("ref");
        after_static = is("static");
        !lazy
    });
    kept.collect()
}

/// No calls, no `?`, no `await`: names, fields and literals. Most messages are like that, and
/// parsing them as expressions would be a good part of the whole run.
fn only_names(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().all(|token| match token {
        TokenTree::Group(_) => false,
        TokenTree::Punct(punct) => punct.as_char() != '?',
        TokenTree::Ident(_) | TokenTree::Literal(_) => true,
    })
}

/// What is between the braces, when all of it is items as they are. Statics are not: macros make
/// something else of them.
fn plain_items(mac: &syn::Macro) -> Option<Vec<syn::Item>> {
    let first = mac.tokens.clone().into_iter().next()?;
    let begins = match &first {
        TokenTree::Punct(punct) => punct.as_char() == '#',
        TokenTree::Ident(word) => ITEM_WORDS.iter().any(|known| word == known),
        _ => false,
    };
    if !begins || !matches!(mac.delimiter, syn::MacroDelimiter::Brace(_)) {
        return None;
    }
    let items = syn::parse2::<syn::File>(mac.tokens.clone()).ok()?.items;
    let plain = |item: &syn::Item| !matches!(item, syn::Item::Static(_) | syn::Item::Verbatim(_));
    items.iter().all(plain).then_some(items)
}

/// What items begin with.
const ITEM_WORDS: [&str; 13] = [
    "async", "const", "enum", "extern", "fn", "impl", "mod", "pub", "struct", "trait", "type",
    "unsafe", "use",
];

/// Tries the whole, then each group in braces (the arms of `cfg_if!`) that may be code here.
fn item_groups(tokens: &TokenStream, each: &mut impl FnMut(TokenStream) -> bool) {
    if each(tokens.clone()) {
        return;
    }
    // Of the arm that comes next, and whether one before it is taken for sure.
    let (mut holds, mut taken) = (None, false);
    for token in tokens.clone() {
        let TokenTree::Group(group) = token else { continue };
        match group.delimiter() {
            proc_macro2::Delimiter::Bracket => holds = condition(group.stream()),
            proc_macro2::Delimiter::Brace => {
                if holds != Some(false) && !taken {
                    item_groups(&group.stream(), each);
                }
                taken |= holds == Some(true);
                holds = None;
            }
            _ => {}
        }
    }
}

/// What the inside of `#[cfg(…)]` gives, when that is known.
fn condition(attribute: TokenStream) -> Option<bool> {
    let mut tokens = attribute.into_iter();
    match (tokens.next()?, tokens.next()?) {
        (TokenTree::Ident(word), TokenTree::Group(group)) if word == "cfg" => {
            attrs::holds(group.stream())
        }
        _ => None,
    }
}

/// Comma-separated expressions; `name = value` of format macros is the value, `%x` and `?x` of
/// logging macros is x, and `;` separates as well.
fn expressions(tokens: &TokenStream) -> Option<Vec<Expr>> {
    let plain = Punctuated::<Expr, Token![,]>::parse_terminated;
    if let Ok(list) = plain.parse2(tokens.clone()) {
        return Some(list.into_iter().map(unassigned).collect());
    }
    let fields = |input: ParseStream<'_>| {
        let mut list = Vec::new();
        while !input.is_empty() {
            // `target: "x"`, `name: value`
            if input.peek(syn::Ident) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
                input.parse::<syn::Ident>()?;
                input.parse::<Token![:]>()?;
            }
            if input.peek(Token![%]) {
                input.parse::<Token![%]>()?;
            }
            if input.peek(Token![?]) {
                input.parse::<Token![?]>()?;
            }
            let ahead = input.fork();
            if dotted_key(&ahead).is_ok() {
                syn::parse::discouraged::Speculative::advance_to(input, &ahead);
                if input.peek(Token![%]) {
                    input.parse::<Token![%]>()?;
                } else if input.peek(Token![?]) {
                    input.parse::<Token![?]>()?;
                }
            }
            list.push(unassigned(input.parse::<Expr>()?));
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            } else if input.peek(Token![;]) {
                input.parse::<Token![;]>()?;
            } else if !input.is_empty() {
                return Err(input.error("not a list of expressions"));
            }
        }
        Ok(list)
    };
    fields.parse2(tokens.clone()).ok()
}

/// `a.b = ` before a value.
fn dotted_key(input: ParseStream<'_>) -> syn::Result<()> {
    use syn::ext::IdentExt;
    input.call(syn::Ident::parse_any)?;
    while input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        input.call(syn::Ident::parse_any)?;
    }
    input.parse::<Token![=]>()?;
    if input.peek(Token![=]) { Err(input.error("a comparison")) } else { Ok(()) }
}

fn unassigned(expr: Expr) -> Expr {
    match expr {
        Expr::Assign(assign) if matches!(*assign.left, Expr::Path(_)) => *assign.right,
        other => other,
    }
}

/// `pattern = future, if guard => arm`, in both of the forms that are around.
fn select(lowering: &mut Lowering<'_>, tokens: &TokenStream) -> Option<MacroBody> {
    struct Syntax {
        pat: syn::Pat,
        future: Expr,
        guard: Option<Expr>,
        body: Expr,
    }
    let read = |input: ParseStream<'_>| {
        let (mut branches, mut otherwise) = (Vec::new(), None);
        if input.peek(syn::Ident) && input.peek2(Token![;]) {
            // `biased;`
            input.parse::<syn::Ident>()?;
            input.parse::<Token![;]>()?;
        }
        while !input.is_empty() {
            let key = input.fork().parse::<syn::Ident>().map(|ident| ident.to_string());
            let ends = input.peek(Token![else])
                || (matches!(key.as_deref(), Ok("complete" | "default"))
                    && input.peek2(Token![=])
                    && input.peek3(Token![>]));
            if ends {
                if input.peek(Token![else]) {
                    input.parse::<Token![else]>()?;
                } else {
                    input.parse::<syn::Ident>()?;
                }
                input.parse::<Token![=>]>()?;
                otherwise = Some(input.parse::<Expr>()?);
            } else {
                let pat = input.call(syn::Pat::parse_multi_with_leading_vert)?;
                input.parse::<Token![=]>()?;
                let future = input.parse::<Expr>()?;
                let mut guard = None;
                if input.peek(Token![,]) {
                    input.parse::<Token![,]>()?;
                    input.parse::<Token![if]>()?;
                    guard = Some(input.parse::<Expr>()?);
                }
                input.parse::<Token![=>]>()?;
                let body = if input.peek(syn::token::Brace) {
                    Expr::Block(syn::ExprBlock {
                        attrs: Vec::new(),
                        label: None,
                        block: input.parse()?,
                    })
                } else {
                    input.parse::<Expr>()?
                };
                branches.push(Syntax { pat, future, guard, body });
            }
            if input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
        }
        Ok((branches, otherwise))
    };
    let (branches, otherwise) = read.parse2(tokens.clone()).ok()?;
    let branches = branches
        .iter()
        .map(|branch| {
            let future = lowering.expr(&branch.future);
            let guard = branch.guard.as_ref().map(|guard| lowering.expr(guard));
            let pat = lowering.pat(&branch.pat);
            let body = lowering.expr(&branch.body);
            Branch { pat, future, guard, body }
        })
        .collect();
    let otherwise = otherwise.as_ref().map(|branch| lowering.expr(branch));
    Some(MacroBody::Select { branches, otherwise })
}

/// `macro_rules!`: what its bodies name.
pub(super) fn definition(tokens: &TokenStream) -> MacroDef {
    MacroDef { idents: idents(tokens) }
}

/// How constants are written: `MAX_SIZE`.
fn is_constant(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn idents(tokens: &TokenStream) -> Vec<Name> {
    let mut names = Vec::new();
    let mut stack = vec![tokens.clone()];
    while let Some(tokens) = stack.pop() {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if names.len() < NAMES => names.push(name(&ident)),
                TokenTree::Group(group) => stack.push(group.stream()),
                // Names in format strings: `{name}`.
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    for part in text.split('{').skip(1) {
                        let end = part.find(|c: char| !c.is_alphanumeric() && c != '_');
                        let word = &part[..end.unwrap_or(part.len())];
                        if !word.is_empty() && names.len() < NAMES {
                            names.push(Name::new(word));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    names
}
