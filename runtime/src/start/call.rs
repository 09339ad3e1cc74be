//! What a child is told when it starts, as one line of text: who its parent is, what both are called, and what it is to do.
//!
//! ```text
//! 1:<parent's pid>:<traits>:<name>:<parent's name>:process:<ticket>
//! 1:<parent's pid>:<traits>:<name>:<parent's name>:worker:<number>:<place> and six tickets, of which the last two may be missing: `-`
//! 1:<parent's pid>:<traits>:<name>:<parent's name>:server
//! 1:<parent's pid>:<traits>:<name>:<parent's name>:command:<inode of the memory>:<inode of the life pipe>
//! ```
//!
//! Traits are letters: `d` daemon, `o` outlives its parent, and `s`, `f` or `v` for the start method of its own children; at the end of them may be `c` and the number of bytes that are kept of its standard error. In names, `%` and `:` are
//! `%25` and `%3a`. Read from the environment or a socket, so everything is checked. Must not know how the text travels.

use std::fmt;
use std::str::FromStr;

use polyproc_ipc::Ticket;

use super::StartMethod;

/// What a child is told.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) parent: u32,
    pub(crate) traits: Traits,
    pub(crate) name: String,
    pub(crate) parent_name: String,
    pub(crate) entry: Entry,
}

/// How a child stands to its parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) daemon: bool,
    pub(crate) outlives: bool,
    pub(crate) method: StartMethod,
    /// So many bytes of its standard error are kept; 0: it is as it is.
    pub(crate) tail: u32,
}

/// What a child does.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// Run the one call in this queue, and put the outcome there.
    Process { mailbox: Ticket },
    /// Take batches of calls, and put records for them, as this worker of a pool, in this place of it.
    Worker { number: u32, place: u32, tickets: Box<WorkerTickets> },
    /// Fork on request.
    Server,
    /// Be an ordinary program with a `main`, whose current fabric is the memory it inherited. The numbers tell whether it did inherit it.
    Command { memory: u64, life: u64 },
}

/// What a worker uses of its pool.
#[derive(Clone, Debug)]
pub(crate) struct WorkerTickets {
    /// The queue of batches.
    pub(crate) tasks: Ticket,
    /// The queue of records.
    pub(crate) results: Ticket,
    /// The worker's page of the desk.
    pub(crate) page: Ticket,
    /// The set of cancelled jobs.
    pub(crate) cancelled: Ticket,
    /// What every worker of the pool is told, if there is something.
    pub(crate) setup: Option<Ticket>,
    /// The ring of events, if the pool has one.
    pub(crate) events: Option<Ticket>,
}

impl WorkerTickets {
    fn parse<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<WorkerTickets> {
        let mut next = || Ticket::from_str(fields.next()?).ok();
        let [tasks, results, page, cancelled] = [next()?, next()?, next()?, next()?];
        let mut maybe = || match fields.next()? {
            "-" => Some(None),
            text => Ticket::from_str(text).ok().map(Some),
        };
        Some(WorkerTickets { tasks, results, page, cancelled, setup: maybe()?, events: maybe()? })
    }
}

impl fmt::Display for WorkerTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WorkerTickets { tasks, results, page, cancelled, setup, events } = self;
        write!(f, "{tasks}:{results}:{page}:{cancelled}")?;
        [setup, events].into_iter().try_for_each(|ticket| match ticket {
            Some(ticket) => write!(f, ":{ticket}"),
            None => f.write_str(":-"),
        })
    }
}

impl Call {
    /// Reads a call; `None` for anything that is not one.
    pub(crate) fn parse(text: &str) -> Option<Call> {
        let mut fields = text.split(':');
        let ("1", parent) = (fields.next()?, fields.next()?.parse().ok()?) else { return None };
        let traits = Traits::parse(fields.next()?)?;
        let (name, parent_name) = (plain(fields.next()?)?, plain(fields.next()?)?);
        let ticket = |field: Option<&str>| Ticket::from_str(field?).ok();
        let entry = match fields.next()? {
            "process" => Entry::Process { mailbox: ticket(fields.next())? },
            "worker" => {
                let (number, place) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
                Entry::Worker { number, place, tickets: Box::new(WorkerTickets::parse(&mut fields)?) }
            }
            "server" => Entry::Server,
            "command" => Entry::Command { memory: fields.next()?.parse().ok()?, life: fields.next()?.parse().ok()? },
            _ => return None,
        };
        fields.next().is_none().then_some(Call { parent, traits, name, parent_name, entry })
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1:{}:{}:{}:{}:", self.parent, self.traits, Escaped(&self.name), Escaped(&self.parent_name))?;
        match &self.entry {
            Entry::Process { mailbox } => write!(f, "process:{mailbox}"),
            Entry::Worker { number, place, tickets } => write!(f, "worker:{number}:{place}:{tickets}"),
            Entry::Server => f.write_str("server"),
            Entry::Command { memory, life } => write!(f, "command:{memory}:{life}"),
        }
    }
}

impl Traits {
    fn parse(text: &str) -> Option<Traits> {
        let (letters, tail) = text.split_once('c').unwrap_or((text, "0"));
        let mut traits = Traits { tail: tail.parse().ok()?, ..Traits::default() };
        for letter in letters.chars() {
            match letter {
                'd' => traits.daemon = true,
                'o' => traits.outlives = true,
                's' => traits.method = StartMethod::Spawn,
                'f' => traits.method = StartMethod::Fork,
                'v' => traits.method = StartMethod::ForkServer,
                _ => return None,
            }
        }
        Some(traits)
    }
}

impl fmt::Display for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.daemon { "d" } else { "" })?;
        f.write_str(if self.outlives { "o" } else { "" })?;
        f.write_str(match self.method {
            StartMethod::Spawn => "s",
            StartMethod::Fork => "f",
            StartMethod::ForkServer => "v",
        })?;
        if self.tail > 0 { write!(f, "c{}", self.tail) } else { Ok(()) }
    }
}

/// A name between colons.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['%', ':', '\0']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'%' => "%25",
                b':' => "%3a",
                // The text goes through the environment, which ends at such a byte.
                _ => " ",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// The name that was [escaped](Escaped).
pub(super) fn plain(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('%');
    out.push_str(parts.next()?);
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        out.push(match code {
            "25" => '%',
            "3a" => ':',
            _ => return None,
        });
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, entry: Entry) -> Call {
        let traits = Traits { daemon: true, outlives: false, method: StartMethod::ForkServer, tail: 70_000 };
        Call { parent: 7, traits, name: name.into(), parent_name: "a:b".into(), entry }
    }

    #[test]
    fn a_call_reads_as_it_was_written() {
        for name in ["", "plain", "with:colon", "100%", "%3a", "\u{e9}:%:%"] {
            let text = call(name, Entry::Command { memory: 5, life: 6 }).to_string();
            let read = Call::parse(&text).unwrap();
            assert_eq!((read.parent, &*read.name, &*read.parent_name), (7, name, "a:b"));
            assert_eq!(read.traits, Traits { daemon: true, outlives: false, method: StartMethod::ForkServer, tail: 70_000 });
            assert!(matches!(read.entry, Entry::Command { memory: 5, life: 6 }));
        }
        assert!(matches!(Call::parse(&call("s", Entry::Server).to_string()).unwrap().entry, Entry::Server));
        assert_eq!(Call::parse(&call("a\0b", Entry::Server).to_string()).unwrap().name, "a b");
    }

    #[test]
    fn anything_else_is_no_call() {
        let good = call("n", Entry::Server).to_string();
        let bad = [
            "",
            "1",
            "2:7:s:n:p:server",
            "1:x:s:n:p:server",
            "1:7:z:n:p:server",
            "1:7:sc:n:p:server",
            "1:7:sc7d:n:p:server",
            "1:7:s:n%2:p:server",
            "1:7:s:n%zz:p:server",
            "1:7:s:n:p:nobody",
        ];
        for text in bad.into_iter().map(String::from).chain([format!("{good}:more"), good[..good.len() - 1].to_owned()]) {
            assert!(Call::parse(&text).is_none(), "{text}");
        }
        for text in ["1:7:s:n:p:process:junk", "1:7:s:n:p:worker:1:2:junk:junk:junk:junk:-:-", "1:7:s:n:p:command:1", "1:7:s:n:p:command:x:1"] {
            assert!(Call::parse(text).is_none(), "{text}");
        }
    }
}
