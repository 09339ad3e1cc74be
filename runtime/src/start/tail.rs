//! The last of what a process writes to its standard error: kept for whoever is told of its end, and shown where it would have been seen without.
//!
//! The child's descriptor 2 is the write end of a pipe. A thread of the child, the *teller*, takes what comes out of it, in steps of three parts:
//!
//! 1. `tee`: it copies what is there into a pipe of its own, and takes nothing away;
//! 2. it writes the copy to the stream that the child would have had;
//! 3. `splice`: so many bytes go from the pipe into a file in memory. That is one system call, which also moves the file's position, and parent and child share that.
//!
//! So each byte is either in the pipe or in the file, whatever instruction the child is killed at, and what is in the file was shown. The parent has both; after the child's end it reads both, and shows what
//! is left in the pipe. Nobody but the kernel keeps count of anything.
//!
//! | killed | what follows |
//! | --- | --- |
//! | the child, before part 2 | the parent shows what is in the pipe, and keeps it |
//! | before part 3 | the same, so that is shown twice |
//! | after part 3 | it was shown, and is in the file |
//! | the parent | pipe and file go with the last process that has them |
//!
//! A pipe that the parent read would be simpler, but it fills up while the parent is stopped, and then the child waits; and a file alone grows without a bound. Here the parent does nothing while the child runs,
//! and the teller gives the file's beginning back (by a hole), so that it holds at most twice the tail and a step. The child waits for what it would wait for without this: that whoever reads the stream reads on. There is no
//! teller before the child's body runs, nor in a program without polyproc; that one waits when the pipe is full (64 KiB).
//!
//! Must not know what the child runs.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Barrier, Mutex, OnceLock, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FallocateFlags, MemfdFlags, Mode, OFlags, fallocate, memfd_create, tell};
use rustix::io::{Errno, ReadWriteFlags, pread, pwritev2, read, write};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice, tee};

use super::life;
use super::stdio::above;

/// The longest tail, in bytes.
pub(crate) const MOST: u32 = 16 << 20;
/// How much a step takes at most.
const STEP: usize = 64 << 10;
/// The system lets nobody have a larger pipe; more than that cannot be left in it.
const PIPE: usize = 1 << 20;
/// So much is written at once where it must not wait: whoever finds a pipe writable can write that much.
const PIECE: usize = 4096;
/// Holes are in whole pages.
const PAGE: u64 = 4096;

/// The parent's side.
#[derive(Debug)]
pub(crate) struct Tail {
    pipe: OwnedFd,
    file: OwnedFd,
    most: u64,
    /// What is left in the pipe is shown on this process's standard error.
    shows: bool,
    said: OnceLock<Arc<str>>,
}

/// What the child is given: the pipe's read end, the file, and the stream that it would have had. All are above the numbers that a start uses.
pub(crate) type Told = [OwnedFd; 3];

/// A pipe's write end for the child's standard error, and both sides' part in it.
pub(super) fn open(most: u32, shows: bool) -> Result<(OwnedFd, Tail, Told), Errno> {
    let (pipe, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    let file = memfd_create(c"polyproc-stderr", MemfdFlags::CLOEXEC)?;
    let nothing = || rustix::fs::open(c"/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    let stream = match rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 0) {
        Ok(stream) if shows => stream,
        // It is not to be seen, or this process has no standard error.
        Ok(_) | Err(Errno::BADF) => nothing()?,
        Err(errno) => return Err(errno),
    };
    let told = [above(pipe.try_clone().map_err(os)?)?, above(file.try_clone().map_err(os)?)?, above(stream)?];
    Ok((above(theirs)?, Tail { pipe, file, most: most.into(), shows, said: OnceLock::new() }, told))
}

fn os(error: std::io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}

impl Tail {
    /// After the child's end: what it said last, every time the same. Never waits.
    pub(crate) fn end(&self) -> &Arc<str> {
        self.said.get_or_init(|| {
            let mut bytes = self.kept();
            let rest = self.rest();
            if self.shows {
                show(&rest);
            }
            bytes.extend(rest);
            text(&bytes, usize::try_from(self.most).unwrap_or(usize::MAX)).into()
        })
    }

    /// The end of the file, up to the position that the teller came to.
    fn kept(&self) -> Vec<u8> {
        let Ok(end) = tell(&self.file) else { return Vec::new() };
        let start = end.saturating_sub(self.most);
        let mut bytes = vec![0; (end - start) as usize];
        let mut count = 0;
        while count < bytes.len() {
            match pread(&self.file, &mut bytes[count..], start + count as u64) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        bytes.truncate(count);
        bytes
    }

    /// What the teller had not taken. A child of the child's may write still, so it is bounded.
    fn rest(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut step = [0; PIECE];
        // This process is the only reader by now, so a read of what is there does not wait.
        while bytes.len() < PIPE && is_ready(&self.pipe, PollFlags::IN) {
            match read(&self.pipe, &mut step) {
                Ok(count) if count > 0 => bytes.extend_from_slice(&step[..count]),
                Err(Errno::INTR) => {}
                _ => break,
            }
        }
        bytes
    }
}

/// The last `most` bytes as text; a character that was cut off in front is left out.
fn text(bytes: &[u8], most: usize) -> String {
    let cut = bytes.len().saturating_sub(most);
    let mut last = &bytes[cut..];
    if cut > 0 {
        let inside = last.iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count();
        last = &last[inside..];
    }
    String::from_utf8_lossy(last).into_owned()
}

/// Writes to this process's standard error, as far as that is possible without waiting.
fn show(mut bytes: &[u8]) {
    let stream = std::io::stderr();
    while !bytes.is_empty() {
        let piece = &bytes[..bytes.len().min(PIECE)];
        // Not every kind of file can be asked not to wait; what can be written then and there does not.
        let written = pwritev2(&stream, &[IoSlice::new(piece)], u64::MAX, ReadWriteFlags::NOWAIT);
        let written = written.or_else(|_| if is_ready(&stream, PollFlags::OUT) { write(&stream, piece) } else { Ok(0) });
        match written {
            Err(Errno::INTR) => {}
            Ok(count) if count > 0 => bytes = &bytes[count..],
            _ => return,
        }
    }
}

fn is_ready(fd: impl AsFd, how: PollFlags) -> bool {
    let mut watched = [PollFd::new(&fd, how)];
    poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok() && watched[0].revents().intersects(how)
}

/// The child's side.
pub(crate) struct Teller {
    pipe: OwnedFd,
    most: u64,
    /// Held for whole steps.
    desk: Mutex<Desk>,
}

struct Desk {
    file: OwnedFd,
    stream: OwnedFd,
    /// The teller's own pipe: read end and write end.
    copy: (OwnedFd, OwnedFd),
    buffer: Vec<u8>,
    /// Where the file's position is.
    position: u64,
    /// The file's bytes before this were given back.
    freed: u64,
}

/// In a child that was told so: from now on what it writes is kept and shown.
pub(crate) fn begin([pipe, file, stream]: Told, most: u32) -> Arc<Teller> {
    let start = || -> Result<Arc<Teller>, std::io::Error> {
        let copy = pipe_with(PipeFlags::CLOEXEC)?;
        let desk = Desk { file, stream, copy, buffer: Vec::new(), position: 0, freed: 0 };
        let teller = Arc::new(Teller { pipe, most: most.into(), desk: Mutex::new(desk) });
        let (its, ready) = (teller.clone(), Arc::new(Barrier::new(2)));
        let there = ready.clone();
        std::thread::Builder::new().name("polyproc-stderr".into()).stack_size(64 << 10).spawn(move || {
            there.wait();
            its.run();
        })?;
        // A fork counts threads, and knows ours by their names.
        ready.wait();
        Ok(teller)
    };
    start().unwrap_or_else(|error| life::give_up(&format!("its standard error cannot be kept: {error}")))
}

impl Teller {
    fn run(&self) {
        loop {
            let mut watched = [PollFd::new(&self.pipe, PollFlags::IN)];
            match poll(&mut watched, None) {
                Err(Errno::INTR) => {}
                // The process has closed its standard error, and so has everybody else.
                Ok(_) if !watched[0].revents().contains(PollFlags::IN) => return,
                Ok(_) => self.flush(),
                Err(_) => return,
            }
        }
    }

    /// Shows and keeps all that was written before this call.
    pub(crate) fn flush(&self) {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        while self.step(&mut desk).unwrap_or(false) {}
    }

    /// False: there is nothing.
    fn step(&self, desk: &mut Desk) -> Result<bool, Errno> {
        let count = match tee(&self.pipe, &desk.copy.1, STEP, SpliceFlags::NONBLOCK) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(false),
            Ok(count) => count,
            Err(Errno::INTR) => return Ok(true),
            Err(errno) => return Err(errno),
        };
        desk.buffer.resize(count, 0);
        exactly(count, |done| read(&desk.copy.0, &mut desk.buffer[done..])).map_err(|_| Errno::IO)?;
        // A stream that is broken is nobody's loss but of who reads it.
        let _ = exactly(count, |done| match write(&desk.stream, &desk.buffer[done..]) {
            // Somebody has made the stream one that does not wait.
            Err(Errno::AGAIN) => poll(&mut [PollFd::new(&desk.stream, PollFlags::OUT)], None).and(Err(Errno::INTR)),
            written => written,
        });
        let kept = exactly(count, |done| splice(&self.pipe, None, &desk.file, None, count - done, SpliceFlags::empty()));
        if let Err(kept) = kept {
            // No memory for the file: it is not kept, but must be taken.
            let taken = exactly(count - kept, |done| read(&self.pipe, &mut desk.buffer[..count - kept - done]));
            return taken.map(|()| true).map_err(|_| Errno::IO);
        }
        desk.position += count as u64;
        let free = desk.position.saturating_sub(self.most) / PAGE * PAGE;
        if free - desk.freed >= self.most.max(STEP as u64) {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = fallocate(&desk.file, hole, desk.freed, free - desk.freed);
            desk.freed = free;
        }
        Ok(true)
    }
}

/// Repeats a call until it has dealt with `count` bytes. The error is how many it came to.
fn exactly(count: usize, mut go: impl FnMut(usize) -> Result<usize, Errno>) -> Result<(), usize> {
    let mut done = 0;
    while done < count {
        match go(done) {
            Err(Errno::INTR) => {}
            Ok(more) if more > 0 => done += more,
            _ => return Err(done),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teller(most: u32) -> (OwnedFd, Tail, Teller) {
        let (pen, tail, [pipe, file, stream]) = open(most, false).unwrap();
        let desk = Desk { file, stream, copy: pipe_with(PipeFlags::CLOEXEC).unwrap(), buffer: Vec::new(), position: 0, freed: 0 };
        (pen, tail, Teller { pipe, most: most.into(), desk: Mutex::new(desk) })
    }

    #[test]
    fn what_was_taken_and_what_was_not_make_one_text() {
        let (pen, tail, teller) = teller(100);
        write(&pen, b"one ").unwrap();
        teller.flush();
        write(&pen, b"two ").unwrap();
        teller.flush();
        write(&pen, b"three").unwrap();
        assert_eq!(&**tail.end(), "one two three");
        write(&pen, b"four").unwrap();
        assert_eq!(&**tail.end(), "one two three", "every time the same");
    }

    #[test]
    fn a_child_that_died_between_two_parts_has_lost_nothing() {
        let (pen, tail, teller) = teller(100);
        write(&pen, b"last words").unwrap();
        let desk = teller.desk.lock().unwrap();
        assert_eq!(tee(&teller.pipe, &desk.copy.1, STEP, SpliceFlags::NONBLOCK), Ok(10));
        drop(desk);
        drop((teller, pen));
        assert_eq!(&**tail.end(), "last words");
    }

    #[test]
    fn only_the_last_is_kept_and_the_file_stays_small() {
        let (pen, tail, teller) = teller(1000);
        let lines: Vec<String> = (0..100_000).map(|n| format!("line {n:08}\n")).collect();
        for some in lines.chunks(1000) {
            write(&pen, some.concat().as_bytes()).unwrap();
            teller.flush();
            let blocks = rustix::fs::fstat(&tail.file).unwrap().st_blocks as u64;
            assert!(blocks * 512 <= 2 * STEP as u64 + 2 * PAGE, "{blocks} blocks");
        }
        write(&pen, b"end").unwrap();
        let text = tail.end();
        assert_eq!(text.len(), 1000);
        assert!(lines.concat().ends_with(text.strip_suffix("end").unwrap()));
    }

    #[test]
    fn a_character_that_was_cut_is_left_out() {
        assert_eq!(text("a\u{20ac}b".as_bytes(), 3), "b");
        assert_eq!(text("a\u{20ac}b".as_bytes(), 4), "\u{20ac}b");
        assert_eq!(text(b"\xff\xfeok", 9), "\u{fffd}\u{fffd}ok");
        assert_eq!(text("\u{20ac}".as_bytes(), 9), "\u{20ac}");
    }
}
