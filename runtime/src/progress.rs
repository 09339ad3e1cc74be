//! Progress, for people: the data of [`Pool::progress`](crate::Pool::progress), and (with the feature `progress`) bars of the crate `indicatif`.

pub use crate::pool::{JobProgress, Progress, WorkerProgress};

#[cfg(feature = "progress")]
pub use bars::bar;

#[cfg(feature = "progress")]
mod bars {
    use std::time::Duration;

    use indicatif::{ProgressBar, ProgressBarIter, ProgressIterator};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::error::Result;
    use crate::pool::{Imap, Pool};

    /// A bar that follows a pool: calls that are over, of calls that were submitted. It is drawn on standard error if that is a terminal, ten times a second, and ends with the pool. Its
    /// style may be changed as that of any bar of `indicatif`.
    ///
    /// # Errors
    ///
    /// As [`Pool::on_progress`].
    ///
    /// ```
    /// # use polyproc::{Pool, task};
    /// # #[task]
    /// # fn square(n: u64) -> u64 { n * n }
    /// let pool = Pool::new(2)?;
    /// let bar = polyproc::progress::bar(&pool)?;
    /// pool.map(square, 0..1000)?;
    /// pool.close();
    /// pool.join()?;
    /// assert_eq!((bar.position(), bar.length(), bar.is_finished()), (1000, Some(1000), true));
    /// # Ok::<(), polyproc::Error>(())
    /// ```
    pub fn bar(pool: &Pool) -> Result<ProgressBar> {
        let bar = ProgressBar::new(0);
        let moved = bar.clone();
        pool.on_progress(Duration::from_millis(100), move |progress| {
            moved.set_length(progress.submitted);
            moved.set_position(progress.done + progress.failed);
            if progress.over {
                moved.finish();
            }
        })?;
        Ok(bar)
    }

    impl<A: Serialize, I: Iterator<Item = A>, R: DeserializeOwned> Imap<I, R> {
        /// The same iterator with a bar on standard error (if that is a terminal): results taken, of as many as the input says that it has.
        ///
        /// ```
        /// # use polyproc::{Pool, task};
        /// # #[task]
        /// # fn square(n: u64) -> u64 { n * n }
        /// let pool = Pool::new(2)?;
        /// let squares = pool.imap(square, 0..100)?.with_bar();
        /// assert_eq!(squares.progress.length(), Some(100));
        /// assert_eq!(squares.sum::<polyproc::Result<u64>>()?, 328_350);
        /// # Ok::<(), polyproc::Error>(())
        /// ```
        pub fn with_bar(self) -> ProgressBarIter<Self> {
            let bar = self.expected().map_or_else(ProgressBar::no_length, ProgressBar::new);
            self.progress_with(bar)
        }
    }
}
