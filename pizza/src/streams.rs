//! stdout and stderr, each written by a thread of its own.
//!
//! Both lead to somebody outside, who may stop reading: a pager, a terminal
//! after Ctrl-S, a log driver that hangs. A write lasts as long as they like,
//! so nothing else of the process writes itself. What may be lost goes into a
//! queue with a bound; who prints data waits for it to be written, but not for
//! ever once the process was asked to stop.
//!
//! `tracing-appender` has such a thread for logs alone: it bounds lines and
//! not bytes, nobody can wait for a line, and its own messages are printed
//! where they may block.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use metrics::counter;
use pizza_store::meters;
use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
use rustix::io::Errno;

/// The process's streams.
pub(crate) static STDOUT: Stream = Stream::new(rustix::stdio::stdout, "stdout");
pub(crate) static STDERR: Stream = Stream::new(rustix::stdio::stderr, "stderr");

/// How many bytes wait for a reader: some thousand lines of a log.
const ROOM: usize = 1024 * 1024;

/// The most that one call writes. A pipe takes so much at once or not at all.
const CHUNK: usize = 4096;

/// How long a message is waited for, so that it stands before what follows.
const A_MOMENT: Duration = Duration::from_millis(200);

/// How long a reader may pause at the end of the process, or once it was asked
/// to stop.
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// How often somebody who waits looks whether the process was asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// When the process was asked to stop.
static ASKED_TO_STOP: OnceLock<Instant> = OnceLock::new();

/// From now on, output is only waited for as long as somebody reads it.
pub(crate) fn stop_soon() {
    ASKED_TO_STOP.get_or_init(Instant::now);
}

/// One of the two.
pub(crate) struct Stream {
    fd: fn() -> BorrowedFd<'static>,
    name: &'static str,
    state: Mutex<State>,
    changed: Condvar,
    writer: Once,
}

struct State {
    queue: VecDeque<Text>,
    /// In the queue, or being written.
    bytes: usize,
    /// How many texts were taken so far, and how many of them are done.
    taken: u64,
    done: u64,
    /// How many texts that have to arrive are not done.
    owed: u64,
    /// When a write last succeeded.
    written_at: Option<Instant>,
    /// Whether somebody waited for a moment in vain, and nothing was written
    /// since.
    is_stalled: bool,
    /// How many texts were dropped so far, and of how many that was said.
    dropped: u64,
    said: u64,
    /// Why a text that had to arrive did not.
    fault: Option<io::Error>,
}

struct Text {
    bytes: Vec<u8>,
    loss: Loss,
}

/// What it means that a text does not arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// Lines of logs are counted, and that is all.
    Counted,
    /// What a command prints is what it was run for.
    Fault,
}

impl Stream {
    const fn new(fd: fn() -> BorrowedFd<'static>, name: &'static str) -> Self {
        Self {
            fd,
            name,
            state: Mutex::new(State {
                queue: VecDeque::new(),
                bytes: 0,
                taken: 0,
                done: 0,
                owed: 0,
                written_at: None,
                is_stalled: false,
                dropped: 0,
                said: 0,
                fault: None,
            }),
            changed: Condvar::new(),
            writer: Once::new(),
        }
    }

    /// Its name in messages.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Takes a line of a log without waiting. Where there is no room for it,
    /// it is dropped and counted.
    pub(crate) fn log(&'static self, line: &[u8]) {
        let mut state = self.lock();
        if state.has_room(line.len()) {
            self.push(&mut state, line.to_vec(), Loss::Counted);
        } else {
            state.drop_one();
        }
    }

    /// Takes a message, and waits a moment for it to be written.
    pub(crate) fn say(&'static self, message: String) {
        let mut state = self.lock();
        if state.has_room(message.len()) {
            self.push(&mut state, message.into_bytes(), Loss::Fault);
            self.wait_a_moment(state);
        } else {
            state.fault.get_or_insert_with(no_reader);
        }
    }

    /// Writes data, and waits until it is written, or cannot be. Once the
    /// process was asked to stop, a reader who pauses is left alone.
    pub(crate) fn write(&'static self, data: String) {
        let began = Instant::now();
        let mut state = self.lock();
        self.push(&mut state, data.into_bytes(), Loss::Fault);
        let ticket = state.taken;
        while state.done < ticket {
            // The process may have had much to end between the two.
            if let Some(asked) = ASKED_TO_STOP.get()
                && state.is_without_a_reader(began.max(*asked))
            {
                state.fault.get_or_insert_with(no_reader);
                return;
            }
            state = self.wait(state, LOOK_EVERY);
        }
    }

    /// Notes that what was written is lost, where the stream was closed when the
    /// process began.
    ///
    /// A process never sees a closed stream: before `main`, Rust's runtime opens
    /// `/dev/null` in its place, for reading and writing. A shell that is told
    /// to write there opens it for writing alone.
    pub(crate) fn fail_if_closed(&self) {
        if is_stand_in((self.fd)()) {
            let was_closed = io::Error::new(io::ErrorKind::NotConnected, "it was closed");
            self.lock().fault.get_or_insert(was_closed);
        }
    }

    /// Waits a moment until nothing is left to be written, and says whether
    /// that is so.
    pub(crate) fn is_idle_soon(&self) -> bool {
        self.wait_a_moment(self.lock())
    }

    /// Waits at the end of the process until everything is written, as long
    /// as somebody reads. Gives why a text that had to arrive did not.
    pub(crate) fn finish(&self) -> Option<io::Error> {
        let since = Instant::now();
        let mut state = self.lock();
        while state.done < state.taken && since.elapsed() < LAST_PAUSE {
            state = self.wait(state, LOOK_EVERY);
        }
        if state.owed > 0 {
            state.fault.get_or_insert_with(no_reader);
        }
        state.fault.take()
    }

    /// Why a text that had to arrive did not.
    pub(crate) fn fault(&self) -> Option<String> {
        self.lock().fault.as_ref().map(ToString::to_string)
    }

    fn push(&'static self, state: &mut State, bytes: Vec<u8>, loss: Loss) {
        self.writer.call_once(|| {
            let name = self.name.to_owned();
            let writer = thread::Builder::new().name(name);
            writer
                .spawn(|| self.write_on())
                .expect("a process has a thread for its output");
        });
        state.bytes += bytes.len();
        state.taken += 1;
        state.owed += u64::from(loss == Loss::Fault);
        state.queue.push_back(Text { bytes, loss });
        self.changed.notify_all();
    }

    /// Waits until nothing is left to be written, but only for a moment, and
    /// not at all where that was in vain before.
    fn wait_a_moment(&self, mut state: MutexGuard<'_, State>) -> bool {
        let since = Instant::now();
        let ticket = state.taken;
        while state.done < ticket && !state.is_stalled {
            let left = A_MOMENT.saturating_sub(since.elapsed());
            if left.is_zero() {
                state.is_stalled = true;
            } else {
                state = self.wait(state, left);
            }
        }
        state.done >= ticket
    }

    /// The life of the thread that writes.
    fn write_on(&self) {
        let mut state = self.lock();
        loop {
            let Some(text) = state.queue.pop_front() else {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let written = self.write_whole(&text.bytes);
            state = self.lock();
            state.bytes -= text.bytes.len();
            state.done += 1;
            state.owed -= u64::from(text.loss == Loss::Fault);
            let is_well = written.is_ok();
            if let Err(error) = written {
                state.note_loss(text.loss, error);
            }
            self.changed.notify_all();
            let unsaid = state.dropped - state.said;
            if is_well && unsaid > 0 && state.queue.is_empty() {
                state.said = state.dropped;
                drop(state);
                // A line like any other, by the way of all lines.
                tracing::warn!(
                    dropped = unsaid,
                    "lines of the log were dropped: {} was not read, or could not be written",
                    self.name
                );
                state = self.lock();
            }
        }
    }

    fn write_whole(&self, mut text: &[u8]) -> io::Result<()> {
        while !text.is_empty() {
            let chunk = &text[..text.len().min(CHUNK)];
            match rustix::io::write((self.fd)(), chunk) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    text = &text[count..];
                    let mut state = self.lock();
                    state.written_at = Some(Instant::now());
                    state.is_stalled = false;
                }
                Err(Errno::INTR) => {}
                // Whoever shares the stream made it one that does not block.
                Err(Errno::AGAIN) => thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, longest);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes <= ROOM
    }

    fn drop_one(&mut self) {
        self.dropped += 1;
        // What was dropped before anybody counted is counted, too.
        counter!(meters::LOG_LINES_DROPPED.name).absolute(self.dropped);
    }

    fn note_loss(&mut self, loss: Loss, error: io::Error) {
        match loss {
            Loss::Counted => self.drop_one(),
            // A reader that has gone has read enough.
            Loss::Fault if error.kind() == io::ErrorKind::BrokenPipe => {}
            Loss::Fault => {
                self.fault.get_or_insert(error);
            }
        }
    }

    /// Whether nothing was written for a while after this moment.
    fn is_without_a_reader(&self, after: Instant) -> bool {
        let since = self.written_at.map_or(after, |at| at.max(after));
        since.elapsed() > LAST_PAUSE
    }
}

/// Whether a stream is `/dev/null`, opened for reading too.
fn is_stand_in(fd: BorrowedFd<'_>) -> bool {
    let is_readable = fcntl_getfl(fd).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR);
    let (Ok(opened), Ok(null)) = (fstat(fd), stat("/dev/null")) else {
        return false;
    };
    is_readable && opened.st_rdev == null.st_rdev && opened.st_ino == null.st_ino
}

fn no_reader() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "nobody reads it")
}

/// Where the lines of logs go: stderr.
pub(crate) struct LogLine;

impl io::Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        STDERR.log(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
