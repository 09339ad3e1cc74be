//! The line of text by which a process that a starter has started finds its pool: whose worker it will be, and where it is told what to do.
//!
//! ```text
//! 1:<pool's pid>:<its owner, hexadecimal>:<name of the fabric, or nothing>:<ticket of the mailbox>
//! ```
//!
//! In the mailbox comes one message, a [`Call`](super::Call) as text. Both are checked where they are read. Must not know how the line travels.

use std::fmt;
use std::str::FromStr;

use polyproc_ipc::Ticket;

use super::call::{Escaped, plain};

/// See the file's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) parent: u32,
    pub(crate) owner: u64,
    pub(crate) fabric: Option<String>,
    pub(crate) mailbox: Ticket,
}

impl Post {
    /// Reads a line; `None` for anything that is not one.
    pub(crate) fn parse(text: &str) -> Option<Post> {
        let fields: Vec<&str> = text.split(':').collect();
        let ["1", parent, owner, fabric, mailbox] = fields[..] else { return None };
        let fabric = Some(plain(fabric)?).filter(|name| !name.is_empty());
        Some(Post { parent: parent.parse().ok()?, owner: u64::from_str_radix(owner, 16).ok()?, fabric, mailbox: Ticket::from_str(mailbox).ok()? })
    }
}

impl fmt::Display for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Post { parent, owner, fabric, mailbox } = self;
        write!(f, "1:{parent}:{owner:x}:{}:{mailbox}", Escaped(fabric.as_deref().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use polyproc_ipc::{BytesQueue, Fabric};

    use super::*;

    #[test]
    fn a_post_reads_as_it_was_written_and_nothing_else_does() {
        let fabric = Fabric::builder().cap(8 << 20).private().unwrap();
        let mailbox = BytesQueue::new(&fabric, 0).unwrap().lend();
        for name in [None, Some("plain"), Some("with:colon%")] {
            let post = Post { parent: 7, owner: u64::MAX - 1, fabric: name.map(Into::into), mailbox };
            let text = post.to_string();
            assert_eq!(Post::parse(&text), Some(post));
            for bad in [
                format!("{text}:more"),
                text[..text.len() - 1].to_owned(),
                text.replacen('1', "2", 1),
                text.replacen(":7:", ":x:", 1),
                text.replacen("fff", "xyz", 1),
            ] {
                assert_eq!(Post::parse(&bad), None, "{bad}");
            }
        }
        assert_eq!(Post::parse(""), None);
    }
}
