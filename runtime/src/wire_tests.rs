//! Tests of `wire`: what is written reads the same, and bad bytes are an error.

use std::os::unix::ffi::OsStringExt;

use polyproc_ipc::Block;

use super::*;

const TERMS: Terms = Terms { lane: 2, attempt: 3, bring_back: true, soft: 4, hard: 5, reply: None };

fn batch(items: &[&[u8]]) -> Vec<u8> {
    let mut batch = BatchBuilder::new(7, 100, "a::b", TERMS);
    for item in items {
        batch.push_encoded(item);
    }
    batch.finish().body
}

fn records() -> Vec<Vec<u8>> {
    let mut done_record = Vec::new();
    done(&mut done_record, 1, 2, 3);
    done_record.extend_from_slice(b"value");
    let mut failed_record = Vec::new();
    let failure = Failure { number: 103, task: "t".into(), message: "m\u{e9}".into(), backtrace: "0: f".into() };
    failed(&mut failed_record, [1, 2, 3], 4, &failure, b"args");
    let goodbyes = [bye(9, b""), bye(9, &done_record), bye(9, &failed_record), unfit(9, &failure)];
    let mut all = vec![done_record, failed_record, hello(9, 10), death(9, -9), cancel(8)];
    all.extend(goodbyes);
    all
}

#[test]
fn a_batch_reads_as_it_was_written() {
    let bytes = batch(&[b"one", b"", b"three"]);
    let read = Batch::parse(&bytes).unwrap();
    assert_eq!((read.job, read.first, read.count, read.name, read.terms), (7, 100, 3, "a::b", TERMS));
    assert_eq!(lane(&bytes), 2);
    assert_eq!(read.items().collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
}

#[test]
fn the_tail_keeps_indexes() {
    let bytes = batch(&[b"one", b"two", b"three"]);
    let read = Batch::parse(&bytes).unwrap();
    let tail = read.tail(2).unwrap();
    let tail = Batch::parse(&tail).unwrap();
    assert_eq!((tail.job, tail.first, tail.count, tail.name), (7, 102, 1, "a::b"));
    assert_eq!(tail.items().collect::<Vec<_>>(), [b"three"]);
    assert!(read.tail(3).is_none() && read.tail(u32::MAX).is_none());
    let again = read.single(1, TERMS.again()).unwrap();
    let again = Batch::parse(&again).unwrap();
    assert_eq!((again.first, again.count, again.terms.attempt), (101, 1, 4));
    assert_eq!(again.items().collect::<Vec<_>>(), [b"two"]);
}

#[test]
fn a_reply_queue_goes_with_every_part() {
    let reply = polyproc_ipc::Ticket::from_bytes(&[7; 40]);
    let mut batch = BatchBuilder::new(7, 100, "a::b", Terms { reply, ..TERMS });
    for item in [b"one", b"two"] {
        batch.push_encoded(item);
    }
    let bytes = batch.finish().body;
    assert_eq!(task_of(&bytes).as_deref(), Some("a::b"));
    let read = Batch::parse(&bytes).unwrap();
    let parts = [read.tail(1).unwrap(), read.single(0, read.terms.again()).unwrap()];
    for part in [&bytes, &parts[0], &parts[1]] {
        assert_eq!(Batch::parse(part).unwrap().terms.reply, reply);
    }
    assert_eq!(Batch::parse(&bytes[..80]).err(), Some(Damaged), "cut in the ticket");
}

#[test]
fn a_call_that_cannot_be_written_leaves_no_trace() {
    let mut half = BatchBuilder::new(1, 0, "t", TERMS);
    half.push((1_u8,)).unwrap();
    let no_text = std::path::PathBuf::from(std::ffi::OsString::from_vec(vec![0xff]));
    half.push((Block::from(vec![7_u8; 5000]), no_text)).unwrap_err();
    let letter = half.finish();
    assert!(letter.packing.is_empty());
    assert_eq!(Batch::parse(&letter.body).unwrap().items().collect::<Vec<_>>(), [[0x91, 1]]);
}

#[test]
fn records_read_as_they_were_written() {
    let records = records();
    assert_eq!(Record::parse(&records[0]), Ok(Record::Done { job: 1, index: 2, owner: 3, at: 32 }));
    assert_eq!(&records[0][32..], b"value");
    let Ok(Record::Failed { failure, attempt: 4, arguments, .. }) = Record::parse(&records[1]) else { panic!() };
    assert_eq!(arguments, b"args");
    assert_eq!((failure.number, &*failure.task, &*failure.message, &*failure.backtrace), (103, "t", "m\u{e9}", "0: f"));
    assert_eq!(Record::parse(&records[2]), Ok(Record::Hello { worker: 9, owner: 10 }));
    assert_eq!(Record::parse(&records[3]), Ok(Record::Death { worker: 9, code: -9 }));
    assert_eq!(Record::parse(&records[4]), Ok(Record::Cancel { job: 8 }));
    assert_eq!(Record::parse(&records[5]), Ok(Record::Bye { worker: 9, at: None }));
    for bye in &records[6..8] {
        assert_eq!(Record::parse(bye), Ok(Record::Bye { worker: 9, at: Some(8) }));
    }
    assert_eq!(Record::parse(&records[6][8..]), Ok(Record::Done { job: 1, index: 2, owner: 3, at: 32 }));
    let Ok(Record::Unfit { worker: 9, failure }) = Record::parse(&records[8]) else { panic!() };
    assert_eq!((failure.number, &*failure.message), (103, "m\u{e9}"));
    let nested = bye(9, &bye(9, b""));
    assert_eq!(Record::parse(&nested), Err(Damaged), "a record inside of a record has none in it");
    assert!(is_leave(&LEAVE_NOTE) && !is_leave(&LEAVE_NOTE[..7]) && Batch::parse(&LEAVE_NOTE).is_err());
}

/// Every prefix, and every single changed byte: an answer, never a panic, and never items beyond the bytes.
#[test]
fn bad_bytes_are_an_error_and_never_a_panic() {
    let mut samples = records();
    samples.push(batch(&[b"one", b"two"]));
    for sample in samples {
        for end in 0..sample.len() {
            assert_eq!(Batch::parse(&sample[..end]).err(), Some(Damaged));
            let _ = Record::parse(&sample[..end]);
        }
        for at in 0..sample.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = sample.clone();
                changed[at] = value;
                if let Ok(batch) = Batch::parse(&changed) {
                    assert_eq!(batch.items().count(), batch.count as usize);
                    let _ = batch.tail(1);
                }
                let _ = Record::parse(&changed);
            }
        }
    }
}
