//! The imports between the files of a crate: every name is followed, through
//! `use`, `pub use`, `super::` and globs, to the file that defines it.
//!
//! Modules and items that are built for tests alone are left out. So are
//! methods: a call names no file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, Meta, UseTree};

/// The files of a crate, and the names by which one imports another.
pub(super) struct Imports {
    /// Paths below the folder of the crate's root file.
    pub(super) files: Vec<String>,
    /// By the importing and the imported file, as places in `files`.
    pub(super) names: BTreeMap<(usize, usize), BTreeSet<String>>,
}

/// Reads a crate from its root file, `lib.rs` or `main.rs`.
pub(super) fn imports_of(root: &Path) -> Imports {
    let folder = root.parent().expect("a folder").to_path_buf();
    let mut modules = Modules::default();
    modules.read_file(root, folder.clone(), Module::default());
    let files = modules.files.iter();
    Imports {
        files: files
            .map(|file| file.strip_prefix(&folder).expect("below the root"))
            .map(|file| file.display().to_string())
            .collect(),
        names: modules.imports(),
    }
}

/// A module, in a file of its own or inline.
#[derive(Default)]
struct Module {
    /// Its file, as a place in `Modules::files`.
    file: usize,
    /// The module above it; none for the crate's root.
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    uses: Vec<Use>,
    /// The paths in its code, of one segment or more.
    paths: BTreeSet<Vec<String>>,
}

/// One name, or one glob, of a `use`.
struct Use {
    /// What it is called here; none for a glob.
    name: Option<String>,
    path: Vec<String>,
    is_public: bool,
}

/// What a path leads to.
#[derive(Clone)]
enum Target {
    Module(usize),
    /// An item of a module.
    Item(usize, String),
}

/// The modules of a crate; the first is its root.
#[derive(Default)]
struct Modules {
    files: Vec<PathBuf>,
    all: Vec<Module>,
}

impl Modules {
    /// Reads a module's file. `folder` is where the files of its children are.
    fn read_file(&mut self, file: &Path, folder: PathBuf, module: Module) -> usize {
        let text = fs::read_to_string(file).expect("text");
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        self.files.push(file.to_path_buf());
        let module = Module {
            file: self.files.len() - 1,
            ..module
        };
        self.read_items(&parsed.items, folder, module)
    }

    fn read_items(&mut self, items: &[Item], folder: PathBuf, module: Module) -> usize {
        self.all.push(module);
        let module = self.all.len() - 1;
        let mut reader = Reader {
            modules: self,
            module,
            folder,
        };
        for item in items {
            reader.visit_item(item);
        }
        module
    }

    fn imports(&self) -> BTreeMap<(usize, usize), BTreeSet<String>> {
        let mut imports = BTreeMap::<_, BTreeSet<String>>::new();
        for (module, content) in self.all.iter().enumerate() {
            let used = content.uses.iter().flat_map(|it| self.used(module, it));
            let written = content.paths.iter().filter(|path| path.len() > 1);
            let written = written.filter_map(|path| self.resolve(module, path, &mut Vec::new()));
            for target in used.chain(written) {
                let (at, name) = match target {
                    Target::Module(at) => (at, "(module)".to_owned()),
                    Target::Item(at, name) => (at, name),
                };
                let file = self.all[at].file;
                if file != content.file {
                    let names = imports.entry((content.file, file)).or_default();
                    names.insert(name);
                }
            }
        }
        imports
    }

    /// What a `use` brings into the code of its module.
    fn used(&self, module: usize, it: &Use) -> Vec<Target> {
        let Some(target) = self.resolve(module, &it.path, &mut Vec::new()) else {
            return Vec::new();
        };
        let Some(name) = &it.name else {
            return self.used_by_glob(module, it, target);
        };
        let content = &self.all[module];
        let is_first = |path: &&Vec<String>| path[0] == *name;
        let mut written = content.paths.iter().filter(is_first).peekable();
        let is_written = written.peek().is_some();
        match target {
            // It is the items of an imported module that are imported, by paths.
            Target::Module(_) if is_written || it.is_public => Vec::new(),
            // To pass on what a child has is not to import it.
            Target::Item(at, _) if it.is_public && self.is_below(at, module) && !is_written => {
                Vec::new()
            }
            target => vec![target],
        }
    }

    /// What a glob brings into the code of its module: the names of its target
    /// that the module writes and does not have from elsewhere.
    fn used_by_glob(&self, module: usize, it: &Use, target: Target) -> Vec<Target> {
        let Target::Module(at) = target else {
            return vec![target];
        };
        let content = &self.all[module];
        let names = content.paths.iter().map(|path| &path[0]);
        let is_known = |name: &String| {
            content.items.contains(name)
                || content.children.contains_key(name)
                || content.uses.iter().any(|it| it.name.as_ref() == Some(name))
        };
        let names = names.filter(|name| !is_known(name));
        let found: Vec<_> = names
            .filter_map(|name| self.lookup(at, name, &mut Vec::new()))
            .collect();
        if found.is_empty() && !it.is_public {
            return vec![Target::Item(at, "*".to_owned())];
        }
        found
    }

    /// Whether a module is the other one, or stands below its file.
    fn is_below(&self, module: usize, above: usize) -> bool {
        let file = self.all[above].file;
        let mut next = Some(module);
        while let Some(module) = next {
            if self.all[module].file == file {
                return true;
            }
            next = self.all[module].parent;
        }
        false
    }

    /// What a path in the code of a module leads to; none when it leads out of
    /// the crate. `seen` are the names that are being looked up.
    fn resolve(
        &self,
        module: usize,
        path: &[String],
        seen: &mut Vec<(usize, String)>,
    ) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(module),
            "super" => Target::Module(self.all[module].parent?),
            name => self.lookup(module, name, seen)?,
        };
        for name in rest {
            let Target::Module(at) = target else {
                break;
            };
            target = match self.all[at].parent {
                Some(parent) if name == "super" => Target::Module(parent),
                // A macro may have made what is not found.
                _ => self
                    .lookup(at, name, seen)
                    .unwrap_or_else(|| Target::Item(at, name.clone())),
            };
        }
        Some(target)
    }

    /// What a name in a module stands for.
    fn lookup(&self, module: usize, name: &str, seen: &mut Vec<(usize, String)>) -> Option<Target> {
        let content = &self.all[module];
        if let Some(child) = content.children.get(name) {
            return Some(Target::Module(*child));
        }
        if content.items.contains(name) {
            return Some(Target::Item(module, name.to_owned()));
        }
        let looked_for = (module, name.to_owned());
        if seen.contains(&looked_for) {
            return None;
        }
        seen.push(looked_for);
        let mut named = content.uses.iter();
        if let Some(it) = named.find(|it| it.name.as_deref() == Some(name)) {
            return self.resolve(module, &it.path, seen);
        }
        let mut globs = content.uses.iter().filter(|it| it.name.is_none());
        globs.find_map(|glob| match self.resolve(module, &glob.path, seen)? {
            Target::Module(at) => self.lookup(at, name, seen),
            Target::Item(..) => None,
        })
    }
}

/// Reads the content of one module.
struct Reader<'a> {
    modules: &'a mut Modules,
    module: usize,
    folder: PathBuf,
}

impl Reader<'_> {
    fn content(&mut self) -> &mut Module {
        &mut self.modules.all[self.module]
    }

    fn read_use(&mut self, tree: &UseTree, path: &[String], is_public: bool) {
        let below = |name: &Ident| [path, &[name.to_string()]].concat();
        let (name, path) = match tree {
            UseTree::Path(it) => return self.read_use(&it.tree, &below(&it.ident), is_public),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.read_use(tree, path, is_public);
                }
                return;
            }
            // `use module::{self}`
            UseTree::Name(it) if it.ident == "self" => (path.last().cloned(), path.to_vec()),
            UseTree::Name(it) => (Some(it.ident.to_string()), below(&it.ident)),
            UseTree::Rename(it) => (Some(it.rename.to_string()), below(&it.ident)),
            UseTree::Glob(_) => (None, path.to_vec()),
        };
        self.content().uses.push(Use {
            name,
            path,
            is_public,
        });
    }

    /// The paths among tokens that no syntax tree tells of: those of a macro.
    fn read_tokens(&mut self, mut cursor: Cursor<'_>) {
        while !cursor.eof() {
            if let Some((inside, _, _, rest)) = cursor.any_group() {
                self.read_tokens(inside);
                cursor = rest;
                continue;
            }
            let mut path = Vec::new();
            while let Some((name, rest)) = cursor.ident() {
                path.push(name.to_string());
                cursor = rest;
                match after_colons(cursor) {
                    Some(rest) if rest.ident().is_some() => cursor = rest,
                    _ => break,
                }
            }
            if !path.is_empty() {
                self.content().paths.insert(path);
            } else if let Some((_, rest)) = cursor.token_tree() {
                cursor = rest;
            }
        }
    }
}

fn after_colons(cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    let (first, rest) = cursor.punct()?;
    let (second, rest) = rest.punct()?;
    (first.as_char() == ':' && second.as_char() == ':').then_some(rest)
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(it) => (&it.attrs, Some(&it.ident)),
            Item::Enum(it) => (&it.attrs, Some(&it.ident)),
            Item::Fn(it) => (&it.attrs, Some(&it.sig.ident)),
            Item::Impl(it) => (&it.attrs, None),
            Item::Macro(it) => (&it.attrs, it.ident.as_ref()),
            Item::Mod(it) => (&it.attrs, None),
            Item::Static(it) => (&it.attrs, Some(&it.ident)),
            Item::Struct(it) => (&it.attrs, Some(&it.ident)),
            Item::Trait(it) => (&it.attrs, Some(&it.ident)),
            Item::TraitAlias(it) => (&it.attrs, Some(&it.ident)),
            Item::Type(it) => (&it.attrs, Some(&it.ident)),
            Item::Union(it) => (&it.attrs, Some(&it.ident)),
            Item::Use(it) => (&it.attrs, None),
            _ => return visit::visit_item(self, item),
        };
        if is_for_tests(attributes) {
            return;
        }
        if let Some(name) = name {
            self.content().items.insert(name.to_string());
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        let folder = self.folder.join(&name);
        let module = Module {
            file: self.content().file,
            parent: Some(self.module),
            ..Module::default()
        };
        let child = if let Some((_, items)) = &item.content {
            self.modules.read_items(items, folder, module)
        } else {
            let beside = folder.with_extension("rs");
            let file = if beside.exists() {
                beside
            } else {
                folder.join("mod.rs")
            };
            self.modules.read_file(&file, folder, module)
        };
        self.content().children.insert(name, child);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_public = !matches!(item.vis, syn::Visibility::Inherited);
        if item.leading_colon.is_none() {
            self.read_use(&item.tree, &[], is_public);
        }
    }

    fn visit_impl_item_fn(&mut self, method: &'ast syn::ImplItemFn) {
        if !is_for_tests(&method.attrs) {
            visit::visit_impl_item_fn(self, method);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|part| part.ident.to_string());
            let names = names.collect();
            self.content().paths.insert(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        self.visit_path(&it.path);
        let tokens = TokenBuffer::new2(it.tokens.clone());
        self.read_tokens(tokens.begin());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            let tokens = TokenBuffer::new2(list.tokens.clone());
            self.read_tokens(tokens.begin());
        }
    }

    /// `pub(super)` imports nothing.
    fn visit_visibility(&mut self, _visibility: &'ast syn::Visibility) {}
}

/// Whether what has these attributes is built for tests alone.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    let is_test = |meta: &Meta| meta.path().is_ident("test");
    attributes.iter().any(|attribute| {
        let condition = attribute.parse_args::<Meta>();
        attribute.path().is_ident("cfg")
            && condition.is_ok_and(|condition| match &condition {
                Meta::List(list) if list.path.is_ident("all") => {
                    type Metas = syn::punctuated::Punctuated<Meta, syn::Token![,]>;
                    let all = list.parse_args_with(Metas::parse_terminated);
                    all.is_ok_and(|all| all.iter().any(is_test))
                }
                condition => is_test(condition),
            })
    })
}
