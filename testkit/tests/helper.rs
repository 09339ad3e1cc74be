//! Forked helpers: they answer, wait for their start, are killed and reaped, and a panic is told from silence.

use std::process::ExitCode;
use std::time::Duration;

use polyproc_testkit::helper::{Answer, Helper};
use polyproc_testkit::leak::Snapshot;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let before = Snapshot::take();

    let helper = Helper::fork(|line| {
        line.say(1);
        line.await_go();
        2
    });
    assert_eq!(helper.answer(LONG), Answer::Said(1));
    helper.until_asleep(LONG);
    assert_eq!(helper.answer(SHORT), Answer::Silent);
    helper.go();
    assert_eq!(helper.answer(LONG), Answer::Said(2));
    assert_eq!(helper.answer(LONG), Answer::Died);
    drop(helper);

    println!("a panic on purpose follows");
    let helper = Helper::fork(|_| panic!("on purpose"));
    assert_eq!(helper.answer(LONG), Answer::Died);
    drop(helper);

    let helper = Helper::fork(|line| {
        line.await_go();
        1
    });
    helper.until_asleep(LONG);
    helper.kill();

    // A process that was forked later can say go, and its copy of the helper kills nothing.
    let helper = Helper::fork(|line| {
        line.await_go();
        3
    });
    let other = Helper::fork(|_| {
        helper.go();
        4
    });
    assert_eq!(other.answer(LONG), Answer::Said(4));
    assert_eq!(helper.answer(LONG), Answer::Said(3));
    drop((helper, other));

    before.assert_same();
    println!("helper: all well");
    ExitCode::SUCCESS
}
