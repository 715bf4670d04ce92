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
    /// The part of a runtime that calls what it is given, which may have become a part of it.
    Trampoline,
    /// Somebody else's library; its caller holds what it opened.
    Library(Arc<str>),
    /// A library that opens when it needs to, and keeps: its caller need not be the holder.
    Pool(Through),
    /// The part of such a library that has the program's own code connect for it.
    Maker(Through),
    /// The part of such a library that makes it: what it opens then is for its caller.
    Founder,
    /// It runs a program whose own calls are not among native frames.
    Interpreter(Arc<str>),
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
    /// Whether it has functions that make it, and open for their caller.
    pub founded: bool,
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
    /// Calls of the program are not among the frames of its interpreter.
    Interpreted(Arc<str>),
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
            Self::Interpreted(what) => {
                write!(f, "{what} runs the program, and only its own native frames are seen")
            }
            Self::NoOwnFrame => f.write_str("every frame is a library's"),
        }
    }
}

impl Frames {
    /// What a person is shown.
    pub fn site(&self) -> Site {
        let (mut last, mut interpreted) = (None, None);
        for (at, frame) in self.frames.iter().enumerate() {
            match &frame.role {
                Role::Runtime | Role::Trampoline | Role::Library(_) | Role::Founder => {
                    last = frame.unknown.clone();
                }
                Role::Interpreter(what) => {
                    interpreted = Some(Why::Interpreted(Arc::clone(what)));
                }
                Role::Pool(through) if through.founded => match self.founded(at) {
                    Ok(true) => last = frame.unknown.clone(),
                    Ok(false) => return Site::Through(through.clone()),
                    Err(why) => return Site::Unknown(why),
                },
                Role::Pool(through) | Role::Maker(through) => {
                    return Site::Through(through.clone());
                }
                // Native code around an interpreter is not what the program called.
                Role::User | Role::Unknown
                    if interpreted.is_some() && !frame.is_compiled_late() => {}
                Role::User => return self.own(at, frame),
                // What it is decides whether the next one counts.
                Role::Unknown => {
                    return Site::Unknown(frame.unknown.clone().unwrap_or(Why::NoModule));
                }
            }
        }
        let why = interpreted.or_else(|| self.incomplete.clone()).or(last);
        Site::Unknown(why.unwrap_or(Why::NoOwnFrame))
    }

    /// Whether a pool has opened something as it was made; or why that is not known.
    fn founded(&self, at: usize) -> Result<bool, Why> {
        for frame in &self.frames[at..] {
            match frame.role {
                Role::Founder => return Ok(true),
                Role::User | Role::Unknown => return Ok(false),
                _ => {}
            }
        }
        self.incomplete.clone().map_or(Ok(false), Err)
    }

    /// A frame of the program's own, unless a pool called it to have a connection made.
    fn own(&self, at: usize, frame: &Frame) -> Site {
        let maker = self.frames[at..].iter().find_map(|outer| match &outer.role {
            Role::Maker(through) => Some(through.clone()),
            _ => None,
        });
        match maker {
            Some(through) => Site::Through(through),
            None => {
                let certain = at < self.certain && !self.frames[..at].iter().any(Frame::may_hide);
                Site::User { frame: frame.clone(), certain }
            }
        }
    }
}

impl Frame {
    /// Whether a function of the program may have been inlined here unseen: only lines tell.
    fn may_hide(&self) -> bool {
        self.role == Role::Trampoline && self.line.is_none()
    }

    /// Whether a just-in-time compiler made it.
    fn is_compiled_late(&self) -> bool {
        &*self.module == NO_FILE
    }
}

/// What memory with code and without a file is called.
pub(super) const NO_FILE: &str = "memory without a file";

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(role: Role) -> Frame {
        Frame {
            function: Some("f".into()),
            file: None,
            line: None,
            module: "m".into(),
            address: 1,
            role,
            unknown: None,
        }
    }

    fn site(roles: &[Role], certain: usize) -> Site {
        let frames = roles.iter().cloned().map(frame).collect();
        Frames { frames, certain, incomplete: None }.site()
    }

    fn pool() -> Through {
        Through { name: "pool".into(), families: Arc::from(["pool".to_owned()]), founded: true }
    }

    #[test]
    fn the_innermost_own_frame_is_shown() {
        let roles = [Role::Runtime, Role::Library("redis".into()), Role::User, Role::Runtime];
        assert!(matches!(site(&roles, 3), Site::User { certain: true, .. }));
        assert!(matches!(site(&roles, 2), Site::User { certain: false, .. }));
    }

    #[test]
    fn without_lines_what_calls_back_may_hide_the_function_that_it_called() {
        let mut frames = Frames {
            frames: [Role::Runtime, Role::Trampoline, Role::User].map(frame).into(),
            certain: 3,
            incomplete: None,
        };
        assert!(matches!(frames.site(), Site::User { certain: false, .. }));
        frames.frames[1].line = Some(7);
        assert!(matches!(frames.site(), Site::User { certain: true, .. }));
    }

    #[test]
    fn no_line_is_guilty_of_what_a_pool_opened() {
        let through = Site::Through(pool());
        assert_eq!(site(&[Role::Runtime, Role::Pool(pool()), Role::User], 3), through);
        // The program's own connect, called by the pool.
        let called = [Role::Runtime, Role::User, Role::Maker(pool()), Role::User];
        assert_eq!(site(&called, 4), through);
        // One that is made by the program, and not by what the program does within it.
        let made = [Role::Runtime, Role::Pool(pool()), Role::Runtime, Role::Founder, Role::User];
        assert!(matches!(site(&made, 5), Site::User { certain: true, .. }));
        assert_eq!(site(&[Role::Pool(pool()), Role::User, Role::Founder], 3), through);
        let mut cut =
            Frames { frames: vec![frame(Role::Pool(pool()))], certain: 1, incomplete: None };
        assert_eq!(cut.site(), through);
        cut.incomplete = Some(Why::StackCut);
        assert_eq!(cut.site(), Site::Unknown(Why::StackCut));
        // A handler within a pool of something else is the program's own.
        let within = [Role::User, Role::Pool(pool()), Role::User];
        assert!(matches!(site(&within, 3), Site::User { .. }));
    }

    #[test]
    fn what_has_no_name_hides_what_is_around_it() {
        let unknown = site(&[Role::Runtime, Role::Unknown, Role::User], 3);
        assert!(matches!(unknown, Site::Unknown(_)));
        let python = [Role::Runtime, Role::Interpreter("Python".into()), Role::User];
        assert_eq!(site(&python, 3), Site::Unknown(Why::Interpreted("Python".into())));
        assert_eq!(site(&[Role::Runtime], 1), Site::Unknown(Why::NoOwnFrame));
        let cut = Frames { incomplete: Some(Why::StackCut), ..Frames::default() };
        assert_eq!(cut.site(), Site::Unknown(Why::StackCut));
    }
}
