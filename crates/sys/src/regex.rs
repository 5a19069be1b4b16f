//! Patterns (PCRE2) that are looked for in a stream, as HTTP_GET and SSL_GET do in the body of a page.
//!
//! A stream is matched in windows of [`WINDOW`] bytes, so neither memory nor the result depend on how it arrives. A match
//! that touches the end of a window may go on in the next one ("hard" partial matching): what it needs is kept, at most
//! [`TAIL`] bytes. Only the end of the stream is an end to the pattern (`$`, `\z`, `\b`).
//!
//! A pattern that would take for ever is given up, and says so: after [`MOST_STEPS`] for a match that begins at one byte, or
//! after [`PATIENCE`] for a stream.

use std::ffi::{c_int, c_void};
use std::fmt;
use std::ptr::{NonNull, null_mut};
use std::rc::Rc;
use std::time::Duration;

use pcre2_sys as pcre2;
use types::Instant;

use crate::clock;

/// How much of a stream is looked at together, in bytes.
pub const WINDOW: usize = 16 * 1024;
/// How much of a window a match that is not complete may take along to the next one. Not less than keepalived's buffer.
pub const TAIL: usize = 8 * 1024;
/// How long one stream may be searched, in all. Of the processor's time: a machine that has
/// none for us is not the pattern's fault.
pub const PATIENCE: Duration = Duration::from_millis(500);
/// How much of it may go by at once, for one window: everybody else waits meanwhile.
const AT_ONCE: Duration = Duration::from_millis(50);
/// As many bytes are tried for the beginning of a match before somebody looks at the clock; for UTF-8, which is examined anew
/// each time, [`STARTS_OF_UTF`]. All of them together may take so many times [`MOST_STEPS`].
const STARTS: usize = 128;
const STARTS_OF_UTF: usize = 512;
/// Kept before what is searched, however little the pattern looks behind: a UTF-8 character or the end of a line. So what
/// is not the stream's beginning is never the subject's.
const LEAST_BEHIND: usize = 4;
/// Steps before a match is given up that begins at one byte: a millisecond or so. PCRE2's default is ten million, which is
/// minutes for a window. Machine code counts groups only, not each byte.
pub const MOST_STEPS: u32 = 100_000;
/// Memory that a match without compiled code may take, in KiB. PCRE2's default is 20 GB.
const MOST_MEMORY: u32 = 20 * 1024;
/// Above this no stack is made for compiled code; what does not fit is matched without it.
const MOST_STACK: usize = 64 << 20;

/// Names of PCRE2's compile options, as `regex_options` has them, with their bits.
const OPTIONS: [(&str, u32); 24] = [
    ("allow_empty_class", pcre2::PCRE2_ALLOW_EMPTY_CLASS),
    ("alt_bsux", pcre2::PCRE2_ALT_BSUX),
    ("alt_circumflex", pcre2::PCRE2_ALT_CIRCUMFLEX),
    ("alt_verbnames", pcre2::PCRE2_ALT_VERBNAMES),
    ("auto_callout", pcre2::PCRE2_AUTO_CALLOUT),
    ("caseless", pcre2::PCRE2_CASELESS),
    ("dollar_endonly", pcre2::PCRE2_DOLLAR_ENDONLY),
    ("dotall", pcre2::PCRE2_DOTALL),
    ("dupnames", pcre2::PCRE2_DUPNAMES),
    ("extended", pcre2::PCRE2_EXTENDED),
    ("firstline", pcre2::PCRE2_FIRSTLINE),
    ("match_unset_backref", pcre2::PCRE2_MATCH_UNSET_BACKREF),
    ("multiline", pcre2::PCRE2_MULTILINE),
    ("never_backslash_c", pcre2::PCRE2_NEVER_BACKSLASH_C),
    ("never_ucp", pcre2::PCRE2_NEVER_UCP),
    ("never_utf", pcre2::PCRE2_NEVER_UTF),
    ("no_auto_capture", pcre2::PCRE2_NO_AUTO_CAPTURE),
    ("no_auto_possess", pcre2::PCRE2_NO_AUTO_POSSESS),
    ("no_dotstar_anchor", pcre2::PCRE2_NO_DOTSTAR_ANCHOR),
    ("no_start_optimize", pcre2::PCRE2_NO_START_OPTIMIZE),
    ("ucp", pcre2::PCRE2_UCP),
    ("ungreedy", pcre2::PCRE2_UNGREEDY),
    ("use_offset_limit", pcre2::PCRE2_USE_OFFSET_LIMIT),
    ("utf", pcre2::PCRE2_UTF),
];

/// How a pattern is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options(u32);

impl Options {
    /// Those of these names (PCRE2's, in lower case); `None`: one of them is nobody's.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let bit = |name| {
            let (_, bit) = OPTIONS.iter().find(|(known, _)| *known == name)?;
            Some(*bit)
        };
        names
            .into_iter()
            .try_fold(0, |bits, name| Some(bits | bit(name)?))
            .map(Self)
    }
}

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} at offset {offset}")]
pub struct PatternError {
    /// Where in the pattern, in bytes.
    pub offset: usize,
    /// What is wrong there, in PCRE2's words.
    pub text: String,
}

/// Why nobody knows whether a stream matches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatchError {
    /// A match may have begun that is longer than what is kept.
    #[error("a match would have to be longer than {TAIL} bytes, and as much is not kept")]
    TooLong,
    /// PCRE2 gave up: the pattern takes too many steps, or too much memory.
    #[error("{0}")]
    GaveUp(String),
    /// No match takes too many steps, but all beginnings together take too long.
    #[error("it takes longer than {AT_ONCE:?} for {WINDOW} bytes, or {PATIENCE:?} in all")]
    TooSlow,
}

/// Whether a pattern is one. Cheaper than to compile it for use.
///
/// # Errors
/// As [`Pattern::compile`].
pub fn check(pattern: &[u8], options: Options) -> Result<(), PatternError> {
    Code::for_streams(pattern, options).map(drop)
}

/// A compiled pattern. Copies share it.
#[derive(Clone)]
pub struct Pattern(Rc<Compiled>);

struct Compiled {
    code: NonNull<pcre2::pcre2_code_8>,
    context: NonNull<pcre2::pcre2_match_context_8>,
    /// For compiled code; none: PCRE2 uses 32 KiB of our own.
    stack: Option<NonNull<pcre2::pcre2_jit_stack_8>>,
    utf: bool,
    /// `firstline`: a match begins in the first line, or nowhere.
    first_line: bool,
    /// How many bytes it may look behind.
    behind: usize,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// `stack`: bytes for machine code's own use, at first and at most. It does not change what matches: what finds no room
    /// is matched without machine code.
    ///
    /// # Errors
    /// When the pattern is wrong, or too large for PCRE2.
    pub fn compile(
        pattern: &[u8],
        options: Options,
        stack: Option<(usize, usize)>,
    ) -> Result<Self, PatternError> {
        let (code, facts) = Code::for_streams(pattern, options)?;
        let utf = facts & pcre2::PCRE2_UTF != 0;
        let characters = usize::try_from(code.info(pcre2::PCRE2_INFO_MAXLOOKBEHIND)).unwrap_or(0);
        let behind = characters * if utf { 4 } else { 1 };
        // PCRE2 10.45: for what need not be UTF-8 machine code looks behind the end (`\b` after a broken character).
        if !utf {
            // Where machine code cannot be made, PCRE2 does without.
            // SAFETY: the code is a live pattern that nobody else uses.
            unsafe {
                pcre2::pcre2_jit_compile_8(
                    code.0.as_ptr(),
                    pcre2::PCRE2_JIT_COMPLETE | pcre2::PCRE2_JIT_PARTIAL_HARD,
                );
            }
        }
        // SAFETY: no allocator is given, so PCRE2 takes malloc.
        let context = unsafe { pcre2::pcre2_match_context_create_8(null_mut()) };
        let context = NonNull::new(context).ok_or_else(no_memory)?;
        let mut compiled = Compiled {
            code: code.release(),
            context,
            stack: None,
            utf,
            first_line: facts & pcre2::PCRE2_FIRSTLINE != 0,
            behind: behind.max(LEAST_BEHIND),
        };
        // SAFETY: the context is live; these only store a number in it.
        unsafe {
            pcre2::pcre2_set_match_limit_8(compiled.context.as_ptr(), MOST_STEPS);
            pcre2::pcre2_set_heap_limit_8(compiled.context.as_ptr(), MOST_MEMORY);
        }
        if let Some((start, most)) = stack {
            compiled.make_stack(start.min(MOST_STACK), most.min(MOST_STACK));
        }
        Ok(Self(Rc::new(compiled)))
    }

    /// Begins to look for the pattern in a stream. A match must begin at byte `from` of it or later, and at byte `to` at the
    /// latest.
    pub fn search(&self, from: u64, to: Option<u64>) -> Search {
        Search {
            pattern: self.clone(),
            from,
            to,
            base: 0,
            resume: 0,
            buffer: Vec::new(),
            outcome: None,
            doubt: None,
            spent: Duration::ZERO,
        }
    }
}

fn no_memory() -> PatternError {
    PatternError {
        offset: 0,
        text: "there is no memory for it".into(),
    }
}

/// Code that nobody has taken yet.
struct Code(NonNull<pcre2::pcre2_code_8>);

impl Code {
    /// Compiles a pattern for what [`Search`] does; with the options that it has in the end.
    fn for_streams(pattern: &[u8], options: Options) -> Result<(Self, u32), PatternError> {
        let mut bits = options.0 | pcre2::PCRE2_USE_OFFSET_LIMIT;
        if bits & pcre2::PCRE2_FIRSTLINE != 0 {
            // PCRE2 10.45: machine code that looks for partial matches finds them in later lines, too, once it skips to
            // where one could begin.
            bits |= pcre2::PCRE2_NO_START_OPTIMIZE;
        }
        let code = Self::compile(pattern, bits)?;
        let facts = code.info(pcre2::PCRE2_INFO_ALLOPTIONS);
        if facts & pcre2::PCRE2_UTF == 0 {
            return Ok((code, facts));
        }
        // Bytes that are no UTF-8 match nothing; without this the whole stream would not. The pattern itself may have
        // asked for UTF-8.
        bits |= pcre2::PCRE2_UTF | pcre2::PCRE2_MATCH_INVALID_UTF;
        Ok((Self::compile(pattern, bits)?, facts))
    }

    fn compile(pattern: &[u8], options: u32) -> Result<Self, PatternError> {
        let mut error: c_int = 0;
        let mut offset = 0;
        // SAFETY: the pattern is as long as it says, and the two numbers outlive the call. A slice's pointer is never null.
        let code = unsafe {
            pcre2::pcre2_compile_8(
                pattern.as_ptr(),
                pattern.len(),
                options,
                &raw mut error,
                &raw mut offset,
                null_mut(),
            )
        };
        NonNull::new(code).map(Self).ok_or_else(|| PatternError {
            offset,
            text: message(error),
        })
    }

    /// A number that PCRE2 knows about the pattern.
    fn info(&self, what: u32) -> u32 {
        let mut value: u32 = 0;
        // SAFETY: the code is live, and what is asked for are those facts that are 32 bits wide.
        unsafe { pcre2::pcre2_pattern_info_8(self.0.as_ptr(), what, (&raw mut value).cast()) };
        value
    }

    fn release(self) -> NonNull<pcre2::pcre2_code_8> {
        let code = self.0;
        std::mem::forget(self);
        code
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: it is ours, and nobody has taken it.
        unsafe { pcre2::pcre2_code_free_8(self.0.as_ptr()) };
    }
}

/// PCRE2's words for one of its errors.
fn message(error: c_int) -> String {
    let mut text = [0_u8; 256];
    // SAFETY: the buffer is as long as it says.
    let length = unsafe { pcre2::pcre2_get_error_message_8(error, text.as_mut_ptr(), text.len()) };
    let words = usize::try_from(length).ok().and_then(|end| text.get(..end));
    words.map_or_else(
        || format!("PCRE2 error {error}"),
        |words| String::from_utf8_lossy(words).into_owned(),
    )
}

/// What one call found.
enum Found {
    Nothing,
    /// A match that begins here.
    Match(usize),
    /// The beginning of one.
    Partial(usize),
}

impl Compiled {
    fn make_stack(&mut self, start: usize, most: usize) {
        // SAFETY: no allocator is given. It is null when there is no memory.
        let stack = unsafe { pcre2::pcre2_jit_stack_create_8(start, most, null_mut()) };
        self.stack = NonNull::new(stack);
        if let Some(stack) = self.stack {
            // SAFETY: without a callback the argument is the stack itself, which lives as long as the context.
            unsafe {
                pcre2::pcre2_jit_stack_assign_8(
                    self.context.as_ptr(),
                    None,
                    stack.as_ptr().cast::<c_void>(),
                );
            }
        }
    }

    /// Looks for the pattern from `start` on, which is within the subject, up to `last`.
    fn find(
        &self,
        subject: &[u8],
        (start, last): (usize, usize),
        options: u32,
    ) -> Result<Found, MatchError> {
        // SAFETY: the context is live; this only stores a number in it.
        unsafe { pcre2::pcre2_set_offset_limit_8(self.context.as_ptr(), last) };
        // SAFETY: one pair of offsets, malloc.
        let data = unsafe { pcre2::pcre2_match_data_create_8(1, null_mut()) };
        let Some(data) = NonNull::new(data) else {
            return Err(MatchError::GaveUp("there is no memory for it".into()));
        };
        let mut result = self.call(subject, start, options, data);
        if result == pcre2::PCRE2_ERROR_JIT_STACKLIMIT {
            result = self.call(subject, start, options | pcre2::PCRE2_NO_JIT, data);
        }
        let found = match result {
            pcre2::PCRE2_ERROR_NOMATCH => Ok(Found::Nothing),
            // SAFETY: after a partial match the first pair of offsets is set; the data is live.
            pcre2::PCRE2_ERROR_PARTIAL => Ok(Found::Partial(unsafe {
                *pcre2::pcre2_get_ovector_pointer_8(data.as_ptr())
            })),
            // SAFETY: after a match it is set; the data is live. Unlike the first offset it heeds no \K.
            0.. => Ok(Found::Match(unsafe {
                pcre2::pcre2_get_startchar_8(data.as_ptr())
            })),
            error => Err(MatchError::GaveUp(message(error))),
        };
        // SAFETY: it is ours, and nothing of it is used any more.
        unsafe { pcre2::pcre2_match_data_free_8(data.as_ptr()) };
        found
    }

    fn call(
        &self,
        subject: &[u8],
        start: usize,
        options: u32,
        data: NonNull<pcre2::pcre2_match_data_8>,
    ) -> c_int {
        // SAFETY: code, context and data are live and used by this thread only (`Rc` keeps them here); the subject is as
        // long as it says and outlives the call; PCRE2 checks `start` itself.
        unsafe {
            pcre2::pcre2_match_8(
                self.code.as_ptr(),
                subject.as_ptr(),
                subject.len(),
                start,
                options,
                data.as_ptr(),
                self.context.as_ptr(),
            )
        }
    }
}

impl Drop for Compiled {
    fn drop(&mut self) {
        // SAFETY: all three are ours and die here; the context first, for it names the stack.
        unsafe {
            pcre2::pcre2_match_context_free_8(self.context.as_ptr());
            if let Some(stack) = self.stack {
                pcre2::pcre2_jit_stack_free_8(stack.as_ptr());
            }
            pcre2::pcre2_code_free_8(self.code.as_ptr());
        }
    }
}

/// A pattern that is looked for in one stream.
#[derive(Debug)]
pub struct Search {
    pattern: Pattern,
    /// The first byte of the stream where a match may begin.
    from: u64,
    /// The last one.
    to: Option<u64>,
    /// Which byte of the stream the buffer begins with.
    base: u64,
    /// Where in the buffer it goes on: nothing begins before.
    resume: usize,
    buffer: Vec<u8>,
    outcome: Option<Result<bool, MatchError>>,
    /// What speaks against "there is no match".
    doubt: Option<MatchError>,
    /// How long it has been searched.
    spent: Duration,
}

impl Search {
    /// The next bytes of the stream.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while self.outcome.is_none() && !bytes.is_empty() {
            let room = self.capacity().saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= self.capacity() {
                self.look();
            }
        }
    }

    /// The stream has ended: whether it matches.
    ///
    /// # Errors
    /// When that is not known. It may be that it does.
    pub fn finish(&mut self) -> Result<bool, MatchError> {
        if self.outcome.is_none() {
            self.look_at_the_end();
        }
        self.buffer = Vec::new();
        self.outcome.clone().unwrap_or(Ok(false))
    }

    fn capacity(&self) -> usize {
        WINDOW + self.pattern.0.behind
    }

    fn end(&mut self, outcome: Result<bool, MatchError>) {
        self.outcome = Some(outcome);
        self.buffer = Vec::new();
    }

    /// Nothing was found, and nothing will be.
    fn end_without(&mut self) {
        let outcome = self.doubt.take().map_or(Ok(false), Err);
        self.end(outcome);
    }

    /// Where to begin in the buffer; `None`: behind its end.
    fn start(&self) -> Option<usize> {
        let skip = usize::try_from(self.from.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let mut start = skip.max(self.resume);
        // A character that begins before may not match.
        while self.pattern.0.utf && self.buffer.get(start).is_some_and(|byte| is_inner(*byte)) {
            start += 1;
        }
        (start <= self.buffer.len()).then_some(start)
    }

    /// Whether a match may begin there.
    fn allows(&self, start: usize) -> bool {
        let position = self.base + to_u64(start);
        self.to.is_none_or(|to| position <= to)
    }

    /// The buffer is full, and more may come.
    fn look(&mut self) {
        let end = if self.pattern.0.utf {
            whole_characters(&self.buffer)
        } else {
            self.buffer.len()
        };
        let found = match self.start().filter(|start| *start < end) {
            Some(start) => self.find(start, end, pcre2::PCRE2_PARTIAL_HARD),
            None => Ok(Found::Nothing),
        };
        match found {
            Err(error) => self.end(Err(error)),
            Ok(Found::Match(start)) if self.allows(start) => self.end(Ok(true)),
            Ok(Found::Match(_)) => self.end_without(),
            Ok(Found::Partial(start)) if !self.allows(start) => self.end_without(),
            Ok(Found::Partial(start)) => self.keep(start),
            Ok(Found::Nothing) => self.keep(end),
        }
        if self.outcome.is_none() && !self.allows(self.resume) {
            self.end_without();
        }
    }

    /// Looks for the pattern in the first `end` bytes of the buffer, some beginnings at a time. The beginning of a match that
    /// is longer than what is kept is only a doubt: what comes behind it may be a match.
    fn find(&mut self, start: usize, end: usize, options: u32) -> Result<Found, MatchError> {
        let pattern = self.pattern.0.clone();
        let begun = (clock::now(), clock::thread_time());
        let result = self.find_within(&pattern, (start, end), options, begun);
        self.spent += taken(begun);
        result
    }

    fn find_within(
        &mut self,
        pattern: &Compiled,
        (start, end): (usize, usize),
        options: u32,
        begun: (Instant, Duration),
    ) -> Result<Found, MatchError> {
        let subject = self.buffer.get(..end).unwrap_or_default();
        let starts = if pattern.utf { STARTS_OF_UTF } else { STARTS };
        let mut from = start;
        loop {
            let last = from.saturating_add(starts - 1);
            let found = pattern.find(subject, (from, last), options)?;
            let tried = match found {
                Found::Nothing => last,
                Found::Partial(at) if self.allows(at) && self.buffer.len() - at > TAIL => {
                    self.doubt = Some(MatchError::TooLong);
                    at
                }
                Found::Match(_) | Found::Partial(_) => return Ok(found),
            };
            if tried >= end {
                return Ok(Found::Nothing);
            }
            let line = subject.get(start..=tried).unwrap_or_default();
            if pattern.first_line && line.contains(&b'\n') {
                return Ok(Found::Nothing);
            }
            let left = PATIENCE.saturating_sub(self.spent).min(AT_ONCE);
            // The cheaper clock first: it never shows less.
            if clock::now().since(begun.0) > left && taken(begun) > left {
                return Err(MatchError::TooSlow);
            }
            from = tried + 1;
            while pattern.utf && subject.get(from).is_some_and(|byte| is_inner(*byte)) {
                from += 1;
            }
        }
    }

    /// Goes on at this byte of the buffer; what is before is dropped, but for what the pattern may look at.
    fn keep(&mut self, start: usize) {
        let searched = self.start().and_then(|from| self.buffer.get(from..start));
        if self.pattern.0.first_line && searched.is_some_and(|bytes| bytes.contains(&b'\n')) {
            self.end_without();
            return;
        }
        let first = start.saturating_sub(self.pattern.0.behind);
        self.buffer.drain(..first);
        self.base += to_u64(first);
        self.resume = start - first;
    }

    fn look_at_the_end(&mut self) {
        let found = match self.start() {
            Some(start) => self.find(start, self.buffer.len(), 0),
            None => Ok(Found::Nothing),
        };
        match found {
            Err(error) => self.end(Err(error)),
            Ok(Found::Match(start)) if self.allows(start) => self.end(Ok(true)),
            Ok(Found::Match(_) | Found::Partial(_) | Found::Nothing) => self.end_without(),
        }
    }
}

/// The processor's time since then.
fn taken((_, own): (Instant, Duration)) -> Duration {
    clock::thread_time().saturating_sub(own)
}

/// A widening: there is no machine with longer addresses.
const fn to_u64(count: usize) -> u64 {
    count as u64
}

/// Not the first byte of a UTF-8 character.
const fn is_inner(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// How many bytes there are before a character that is not complete, if the text ends in one.
fn whole_characters(text: &[u8]) -> usize {
    let tail = text.iter().rev().take(4);
    let inner = tail.clone().take_while(|byte| is_inner(**byte)).count();
    let wanted = match tail.clone().nth(inner) {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => return text.len(),
    };
    if inner + 1 < wanted {
        text.len() - inner - 1
    } else {
        text.len()
    }
}

#[cfg(test)]
mod tests;
