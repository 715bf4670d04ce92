//! The code of one process: what is mapped, and what it says about itself.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat};

use super::dwarf::Call;
use super::elf::Budget;
use super::frames::{Frame, Frames, Role, Why};
use super::image::Image;
use super::maps::{self, Mapping};
use super::names::{demangled, shortened, written};
use super::perf_map::PerfMap;
use super::roles;
use super::sample::Copied;
use super::table::Caller;
use super::unwind::{Places, Unwinder, Walk};
use crate::live::target::Process;

/// Bytes read of all files of one process: tables, names, lines.
const MOST_BYTES: u64 = 512 << 20;
/// Files that are looked into; each stays open.
const MOST_FILES: usize = 256;
/// Places whose frames are remembered.
const MOST_SHOWN: usize = 16_384;
/// What a lambda is called in debug information.
const LAMBDA: &str = "operator()";

/// One process's modules, unwind tables and symbols, read when they are first needed.
#[derive(Debug)]
pub struct Code {
    modules: Modules,
    unwinder: Unwinder,
    shown: HashMap<u64, Arc<[Frame]>>,
    /// Whether a function of the program is missing between two places; telling reads its file.
    hidden: HashMap<(u64, u64), bool>,
    /// The last address that nothing was mapped at, even after another look.
    missed: Option<u64>,
}

/// What is mapped.
#[derive(Debug)]
struct Modules {
    /// Handle of /proc/PID.
    dir: OwnedFd,
    places: Vec<Place>,
    /// By device and inode; why not, where a file cannot be read.
    images: BTreeMap<(u32, u32, u64), Result<Image, Why>>,
    budget: Budget,
    /// What a just-in-time compiler wrote down, once it was looked for.
    perf_map: Option<PerfMap>,
    /// An address that nothing was mapped at.
    missed: Option<u64>,
}

/// A mapping, and what it takes to name what is in it.
#[derive(Debug)]
struct Place {
    mapping: Mapping,
    name: Arc<str>,
    /// By what its file's addresses were moved, once that was looked for.
    base: Option<Option<u64>>,
}

impl Code {
    /// Begins with what the process has mapped now.
    ///
    /// # Errors
    /// When its mappings may not be read.
    pub fn of(process: &Process) -> io::Result<Self> {
        let dir = process.dir().try_clone_to_owned()?;
        let places = maps::read(dir.as_fd())?.into_iter().map(Place::of).collect();
        let modules = Modules {
            dir,
            places,
            images: BTreeMap::new(),
            budget: Budget(MOST_BYTES),
            perf_map: None,
            missed: None,
        };
        let (unwinder, shown, hidden) = Default::default();
        Ok(Self { modules, unwinder, shown, hidden, missed: None })
    }

    /// Looks again at what is mapped: after an exec, or when libraries were loaded.
    pub fn refresh(&mut self) {
        // What is gone has nothing mapped; frames then say so.
        let new = maps::read(self.modules.dir.as_fd()).unwrap_or_default();
        self.modules.replace(new, &mut self.unwinder);
        self.shown.clear();
        self.hidden.clear();
    }

    /// The frames of a stack. Reads files the first time that it meets them.
    pub fn frames(&mut self, copied: &Copied) -> Frames {
        let mut walk = self.unwinder.walk(copied, &mut self.modules);
        let missed = self.modules.missed.take();
        if missed.is_some() && missed != self.missed {
            self.refresh();
            walk = self.unwinder.walk(copied, &mut self.modules);
            self.missed = self.modules.missed.take();
        }
        self.named(walk)
    }

    /// Names calls, inlined ones, too.
    fn named(&mut self, walk: Walk) -> Frames {
        let (mut frames, mut certain, mut sure) = (Vec::new(), 0, true);
        let mut inner = None;
        for (at, &address) in walk.addresses.iter().enumerate() {
            // Further out than the program's own function nobody asks.
            let asks = sure && at < walk.certain && frames.iter().all(|frame| !is_own(frame));
            sure &= !(asks && inner.is_some_and(|inner| self.hides_own(inner, address)));
            frames.extend(self.shown(address).iter().cloned());
            if sure && at < walk.certain {
                certain = frames.len();
            }
            inner = Some(address);
        }
        Frames { frames, certain, incomplete: walk.incomplete }
    }

    /// The frames at one address, innermost first.
    fn shown(&mut self, address: u64) -> Arc<[Frame]> {
        if self.shown.len() >= MOST_SHOWN {
            self.shown.clear();
        }
        let modules = &mut self.modules;
        Arc::clone(self.shown.entry(address).or_insert_with(|| modules.frames(address)))
    }

    /// Whether a function of the program was called at `outer`, and left for the one at `inner` by a
    /// jump: a call in last place leaves no frame.
    fn hides_own(&mut self, inner: u64, outer: u64) -> bool {
        if let Some(&hides) = self.hidden.get(&(inner, outer)) {
            return hides;
        }
        let called = self.modules.jumped_from(inner, outer);
        let hides = called.is_some_and(|called| self.shown(called).iter().any(is_own));
        if self.hidden.len() >= MOST_SHOWN {
            self.hidden.clear();
        }
        self.hidden.insert((inner, outer), hides);
        hides
    }
}

fn is_own(frame: &Frame) -> bool {
    matches!(frame.role, Role::User | Role::Unknown)
}

impl Place {
    fn of(mapping: Mapping) -> Self {
        Self { name: mapping.name(), mapping, base: None }
    }
}

impl Places for Modules {
    fn caller(&mut self, address: u64, unwinder: &mut Unwinder) -> Option<Caller> {
        let Some(at) = self.find(address) else {
            self.missed = Some(address);
            return None;
        };
        let base = self.load(at, unwinder);
        let Some((base, Ok(image))) = base.zip(self.images.get(&self.places[at].mapping.file))
        else {
            return Some(Caller::Unknown);
        };
        Some(unwinder.remembered(address, || image.caller(address.wrapping_sub(base))))
    }

    fn module(&self, address: u64) -> Arc<str> {
        self.find(address).map_or_else(|| "?".into(), |at| Arc::clone(&self.places[at].name))
    }
}

impl Modules {
    /// The function that was called at `outer`, where that is not the one at `inner`.
    fn jumped_from(&self, inner: u64, outer: u64) -> Option<u64> {
        let Place { mapping, base, .. } = &self.places[self.find(outer)?];
        let (base, image) = (base.flatten()?, self.images.get(&mapping.file)?.as_ref().ok()?);
        let called = image.called(outer.wrapping_add(1).wrapping_sub(base))?;
        if image.elf.is_stub(called) {
            return None;
        }
        let table = image.table.as_ref()?;
        let function = table.function(called)?;
        let of_inner = self.find(inner).map(|at| &self.places[at].mapping.file);
        let same = of_inner == Some(&mapping.file)
            && table.function(inner.wrapping_sub(base)) == Some(function);
        (!same).then(|| called.wrapping_add(base))
    }

    fn find(&self, address: u64) -> Option<usize> {
        let behind = self.places.partition_point(|place| place.mapping.start <= address);
        let at = behind.checked_sub(1)?;
        self.places[at].mapping.holds(address).then_some(at)
    }

    /// By what addresses of the file were moved; reads the file when that is not known yet.
    fn load(&mut self, at: usize, unwinder: &mut Unwinder) -> Option<u64> {
        let place = &mut self.places[at];
        if let Some(base) = place.base {
            return base;
        }
        place.base = Some(None);
        if !place.mapping.has_file() {
            return None;
        }
        if self.images.len() >= MOST_FILES && !self.images.contains_key(&place.mapping.file) {
            return None;
        }
        let (dir, budget, mapping) = (&self.dir, &mut self.budget, &place.mapping);
        let image = self.images.entry(mapping.file).or_insert_with(|| {
            let file = mapping.open(dir.as_fd()).map_err(|error| match error.kind() {
                io::ErrorKind::StaleNetworkFileHandle => Why::Replaced(Arc::clone(&place.name)),
                _ => Why::Unreadable(format!("{}: {error}", place.name).into()),
            })?;
            let none = || Why::Unreadable(format!("{}: no ELF file of 64 bits", place.name).into());
            Image::of(file, budget).ok_or_else(none)
        });
        let image = image.as_ref().ok()?;
        let base = mapping
            .start
            .wrapping_sub(mapping.offset)
            .wrapping_sub(image.elf.moved_by(mapping.offset)?);
        if let Some(table) = &image.table {
            unwinder.add(mapping.start..mapping.end, base, table);
        }
        place.base = Some(Some(base));
        Some(base)
    }

    /// Takes what is mapped now; what stayed the same is kept.
    fn replace(&mut self, new: Vec<Mapping>, unwinder: &mut Unwinder) {
        let old = std::mem::take(&mut self.places);
        let mut kept = BTreeMap::new();
        for place in old {
            if new
                .binary_search_by_key(&place.mapping.start, |mapping| mapping.start)
                .is_ok_and(|at| new[at] == place.mapping)
            {
                kept.insert(place.mapping.start, place);
            } else if place.base.flatten().is_some() {
                unwinder.remove(&place.mapping);
            }
        }
        self.places = new
            .into_iter()
            .map(|mapping| kept.remove(&mapping.start).unwrap_or_else(|| Place::of(mapping)))
            .collect();
        let places = &self.places;
        self.images.retain(|file, _| places.iter().any(|place| place.mapping.file == *file));
        self.perf_map = None;
    }

    /// The frames at one address, innermost first.
    fn frames(&mut self, address: u64) -> Arc<[Frame]> {
        let Some(at) = self.find(address) else { return Arc::new([]) };
        let place = &self.places[at];
        let (name, path) = (Arc::clone(&place.name), place.mapping.path());
        let (calls, why) = self.calls(at, address);
        let mut names: Vec<Option<String>> =
            calls.iter().map(|call| call.function.as_deref().map(demangled)).collect();
        // Lambdas have bare names where they were inlined; what calls them has the whole one.
        let whole =
            names.iter().flatten().find_map(|name| roles::of_lambda(name)).map(str::to_owned);
        if let Some(whole) = whole {
            for name in names.iter_mut().flatten() {
                if name == LAMBDA || roles::of_lambda(name).is_some() {
                    name.clone_from(&whole);
                }
            }
        }
        let frame = |(call, function): (&Call, &Option<String>)| {
            let known = roles::Known {
                function: function.as_deref(),
                file: call.file.as_deref(),
                module: (&name, &path),
            };
            Frame {
                role: roles::role(known),
                function: function.as_deref().map(|function| shortened(written(function)).into()),
                file: call.file.as_deref().map(|file| Path::new(file).into()),
                line: call.line,
                module: Arc::clone(&name),
                address,
                unknown: why.clone().filter(|_| call.function.is_none() || call.line.is_none()),
            }
        };
        calls.iter().zip(&names).map(frame).collect()
    }

    fn calls(&mut self, at: usize, address: u64) -> (Vec<Call>, Option<Why>) {
        let nothing = |why| (vec![Call::default()], Some(why));
        let Place { mapping, name, base } = &self.places[at];
        if !mapping.has_file() {
            let dir = &self.dir;
            let map = self.perf_map.get_or_insert_with(|| {
                own_pid(dir).and_then(|pid| PerfMap::of(dir.as_fd(), pid)).unwrap_or_default()
            });
            return match map.at(address) {
                Some(function) => {
                    let call = Call { function: Some(function.to_owned()), ..Call::default() };
                    (vec![call], Some(Why::NoLines(Arc::clone(name))))
                }
                None => nothing(Why::NoModule),
            };
        }
        match (self.images.get_mut(&mapping.file), base) {
            (Some(Ok(image)), Some(Some(base))) => {
                let address = address.wrapping_sub(*base);
                image.calls(address, name, self.dir.as_fd(), &mut self.budget)
            }
            (Some(Err(why)), _) => nothing(why.clone()),
            _ => nothing(Why::TooLarge(Arc::clone(name))),
        }
    }
}

/// The number of a process where it runs itself: the innermost of its namespaces.
fn own_pid(dir: &OwnedFd) -> Option<u32> {
    const MOST: u64 = 64 * 1024;
    let file = openat(dir, "status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut text = String::new();
    std::fs::File::from(file).take(MOST).read_to_string(&mut text).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().next_back()?.parse().ok()
}
