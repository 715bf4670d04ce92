//! Opens and closes on demand: of each line read, that many pairs, 50 of them every 10 ms; writes the
//! CPU time that took, in nanoseconds. With `far`, one in 50 goes through functions of the C library
//! whose stack is large.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::net::ToSocketAddrs as _;
use std::time::{Duration, Instant};

const BURST: u64 = 50;
const EVERY: Duration = Duration::from_millis(10);
/// Calls between the loop and the line that opens.
const DEPTH: u32 = 12;
/// `CLOCK_PROCESS_CPUTIME_ID`.
const CPU_TIME: i32 = 2;

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
}

fn cpu_ns() -> i64 {
    let mut time = [0; 2];
    unsafe { clock_gettime(CPU_TIME, &mut time) };
    time[0] * 1_000_000_000 + time[1]
}

#[inline(never)]
fn opens(depth: u32) -> u32 {
    if depth > 0 {
        // What is done after it keeps this call on the stack.
        return black_box(opens(black_box(depth - 1)) + 1);
    }
    let file = File::open("/dev/null").unwrap();
    black_box(&file);
    0
}

fn main() {
    let far = std::env::args().any(|argument| argument == "far");
    for line in std::io::stdin().lock().lines() {
        let pairs: u64 = line.unwrap().trim().parse().unwrap();
        let (begin, before) = (Instant::now(), cpu_ns());
        for turn in 1..=pairs / BURST {
            (0..BURST).for_each(|_| _ = black_box(opens(DEPTH)));
            if far {
                let _ = black_box("localhost:9".to_socket_addrs());
            }
            let next = begin + EVERY * u32::try_from(turn).unwrap();
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        println!("{}", cpu_ns() - before);
        std::io::stdout().flush().unwrap();
    }
}
