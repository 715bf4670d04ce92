//! What is known of the frames of a stack, and which of them a person should look at.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Frames of one stack, innermost first; inlined calls have frames of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frames {
    /// The frames.
    pub frames: Vec<Frame>,
    /// So many of them follow each other for certain; between later ones some may be missing.
    pub certain: usize,
    /// Why there may be more of them.
    pub incomplete: Option<Why>,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function, as its source calls it. Untrusted text.
    pub function: Option<Arc<str>>,
    /// Its source file, as it was called where it was built. Untrusted.
    pub file: Option<Arc<Path>>,
    /// The line of the call.
    pub line: Option<u32>,
    /// Name of the file that its code is in. Untrusted text.
    pub module: Arc<str>,
    /// Where it is: of callers the last byte of their call.
    pub address: u64,
    /// Whose code it is.
    pub role: Role,
    /// Why function or line are not known.
    pub unknown: Option<Why>,
}

/// Whose code a frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// What every program of its language runs on: standard library, executor.
    Runtime,
    /// Somebody else's library; its caller holds what it opened.
    Library(Arc<str>),
    /// A library that opens when it needs to, and keeps: its caller need not be the holder.
    Pool(Through),
    /// The program's own.
    User,
    /// It has no name by which this could be told.
    Unknown,
}

/// A library that opens for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    /// What it is called.
    pub name: Arc<str>,
    /// Families of lint rules about what goes wrong with it.
    pub families: Arc<[String]>,
}

/// What a person is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// The program's own call.
    User {
        /// The call.
        frame: Frame,
        /// Whether no frame within it can be missing.
        certain: bool,
    },
    /// Opened by a pool or client: no line of the program is guilty by having been on the stack.
    Through(Through),
    /// Not known.
    Unknown(Why),
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Why {
    /// The event brought neither registers nor a chain.
    NothingCopied,
    /// The program's code could not be read.
    Unreadable(Arc<str>),
    /// No file is mapped where the frame is.
    NoModule,
    /// The stack goes on behind what was copied.
    StackCut,
    /// The code does not say how to find its caller.
    NoUnwindTable(Arc<str>),
    /// More frames than are followed.
    TooDeep,
    /// Only frame pointers lead there, and not all code on the way has them.
    FramePointers,
    /// The module has no names of functions.
    Stripped(Arc<str>),
    /// The function is known, its lines are not.
    NoLines(Arc<str>),
    /// The file on disk is not the one that runs.
    Replaced(Arc<str>),
    /// It takes more memory than is spent on it.
    TooLarge(Arc<str>),
    /// Every frame is a runtime's or a library's.
    NoOwnFrame,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingCopied => f.write_str("the kernel copied no stack"),
            Self::Unreadable(what) => f.write_str(what),
            Self::NoModule => f.write_str("no file is mapped there"),
            Self::StackCut => f.write_str("the stack goes on behind the part that was copied"),
            Self::NoUnwindTable(module) => {
                write!(f, "{module} does not say how to find callers (no unwind table)")
            }
            Self::TooDeep => f.write_str("the stack has more frames than are followed"),
            Self::FramePointers => {
                f.write_str("only frame pointers lead there, and not all code on the way has them")
            }
            Self::Stripped(module) => {
                write!(f, "{module} is stripped: build it with debug = \"line-tables-only\"")
            }
            Self::NoLines(module) => {
                write!(f, "{module} has no lines: build it with debug = \"line-tables-only\"")
            }
            Self::Replaced(module) => {
                write!(f, "{module} was replaced on disk and what runs may not be read")
            }
            Self::TooLarge(module) => write!(f, "{module} is larger than what is read"),
            Self::NoOwnFrame => f.write_str("every frame is a library's"),
        }
    }
}

impl Frames {
    /// What a person is shown.
    pub fn site(&self) -> Site {
        let mut last = None;
        for (at, frame) in self.frames.iter().enumerate() {
            match &frame.role {
                Role::Runtime | Role::Library(_) => last = frame.unknown.clone(),
                Role::Pool(through) => return Site::Through(through.clone()),
                Role::User => {
                    return Site::User { frame: frame.clone(), certain: at < self.certain };
                }
                // What it is decides whether the next one counts.
                Role::Unknown => {
                    return Site::Unknown(frame.unknown.clone().unwrap_or(Why::NoModule));
                }
            }
        }
        Site::Unknown(self.incomplete.clone().or(last).unwrap_or(Why::NoOwnFrame))
    }
}
