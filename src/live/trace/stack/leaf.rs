//! Code that goes back to its caller at once, told by its instructions.
//!
//! Functions that start threads have no unwind table behind their system call, as what they start goes
//! on there with another stack. Who called them is on the stack when only tests and jumps lie before
//! the end of the function.

/// Bytes of code that are looked at.
pub(super) const LOOKED_AT: usize = 16;
/// Instructions before the end.
const MOST: usize = 4;

/// Whether code returns with the stack as it is, after a call that has started something (x86-64).
pub(super) fn returns_at_once(code: &[u8; LOOKED_AT]) -> bool {
    let mut rest = &code[..];
    for _ in 0..MOST {
        rest = match rest {
            // ret
            [0xc3, ..] => return true,
            // test rax, rax and test eax, eax
            [0x48, 0x85, 0xc0, rest @ ..] | [0x85, 0xc0, rest @ ..] => rest,
            // js, jl, je, jle: not for a number above 0.
            [0x78 | 0x7c | 0x74 | 0x7e, _, rest @ ..] => rest,
            [0x0f, 0x88 | 0x8c | 0x84 | 0x8e, _, _, _, _, rest @ ..] => rest,
            // jns, jge, jne, jg: taken.
            [0x79 | 0x7d | 0x75 | 0x7f, far, rest @ ..] => {
                rest.get(usize::from(*far)..).unwrap_or_default()
            }
            _ => return false,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returns(code: &[u8]) -> bool {
        let mut whole = [0xcc; LOOKED_AT];
        whole[..code.len()].copy_from_slice(code);
        returns_at_once(&whole)
    }

    #[test]
    fn what_follows_the_call_of_clone_in_c_libraries() {
        // glibc: test rax, rax; jl error; je child; ret
        assert!(returns(&[0x48, 0x85, 0xc0, 0x7c, 0x13, 0x74, 0x01, 0xc3]));
        // The same with jumps that lead further.
        assert!(returns(&[0x48, 0x85, 0xc0, 0x0f, 0x8c, 1, 0, 0, 0, 0x74, 0x01, 0xc3]));
        // musl: test eax, eax; jne parent; child: …; parent: ret
        assert!(returns(&[0x85, 0xc0, 0x75, 0x02, 0x31, 0xed, 0xc3]));
    }

    #[test]
    fn other_code_may_have_moved_the_stack() {
        // push rdi; ret
        assert!(!returns(&[0x57, 0xc3]));
        // A jump to where nobody looked, and backwards.
        assert!(!returns(&[0x75, 0x70, 0xc3]));
        assert!(!returns(&[0x75, 0xfe, 0xc3]));
        assert!(!returns(&[0x48, 0x85, 0xc0, 0x48, 0x85, 0xc0, 0x48, 0x85, 0xc0, 0x48, 0x85]));
    }
}
