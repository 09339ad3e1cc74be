//! A list of waiters by itself, and the passing of a notification killed after each store.

use std::sync::atomic::Ordering;

use super::waiters::*;
use crate::fabric::Fabric;
use crate::fabric::handle::{Handle, How};
use crate::objects::{HEADER, Kind};
use crate::shm::Owner;

const DEAD: Owner = Owner::DEAD;

fn list(handle: &Handle) -> Waiters<'_> {
    Waiters::of(handle.shm(), handle.id.offset, handle.fixed::<256>().span(), HEADER + 8).unwrap()
}

/// `owner` comes, in a chunk of ours.
fn come(list: Waiters<'_>, me: Owner, owner: Owner) -> Place<'_> {
    let place = list.enlist(me, 0).unwrap();
    place.entry.at.u64(16).store(owner.to_bits(), Ordering::Relaxed);
    place
}

/// A list in which a dead one was notified, and two wait.
fn scene(test: impl Fn(Waiters<'_>, Owner, [Place<'_>; 3])) {
    let fabric = Fabric::builder().cap(4 << 20).private().unwrap();
    let handle = Handle::get(&fabric, Kind::Condition, How::New, 384, |_, _| Ok(())).unwrap();
    let (list, me) = (list(&handle), fabric.member().unwrap());
    let places = [DEAD, me, me].map(|owner| come(list, me, owner));
    assert!(places[0].entry.change(places[0].waiting, NOTIFIED));
    test(list, me, places);
    // Nothing is left of the dead, and no intent.
    assert_eq!((state(places[0].entry.word()), list.passing().0.load(Ordering::Relaxed)), (FREE, 0));
}

/// As the sweeper left it that was killed while it passed the notification on, after so many stores.
fn killed_in_passing(list: Waiters<'_>, [dead, heir, _]: [Place<'_>; 3], stores: u32) {
    let (passing, to, before) = list.passing();
    before.store(heir.waiting, Ordering::Relaxed);
    to.store(heir.entry.offset, Ordering::Relaxed);
    if stores > 0 {
        passing.store(dead.entry.offset, Ordering::Relaxed);
    }
    if stores > 1 {
        assert!(heir.entry.change(heir.waiting, NOTIFIED));
    }
    if stores > 2 {
        assert!(dead.entry.done(with(dead.waiting, NOTIFIED)));
    }
}

fn repair_and_sweep(list: Waiters<'_>, me: Owner) {
    for _ in 0..2 {
        list.repair(me).unwrap(); // a repair may be repeated
    }
    list.outlive(DEAD).unwrap();
}

#[test]
fn a_notification_is_passed_on_once_wherever_the_sweeper_died() {
    for stores in 0..=3 {
        scene(|list, me, places| {
            killed_in_passing(list, places, stores);
            repair_and_sweep(list, me);
            assert_eq!((places[1].leave(), places[2].leave()), (Fate::Notified, Fate::Withdrawn), "after {stores} stores");
        });
    }
}

#[test]
fn an_heir_that_went_on_had_it_and_one_that_gave_up_had_not() {
    scene(|list, me, places| {
        killed_in_passing(list, places, 2);
        assert_eq!(places[1].leave(), Fate::Notified);
        repair_and_sweep(list, me);
        assert_eq!(places[2].leave(), Fate::Withdrawn);
    });
    scene(|list, me, places| {
        killed_in_passing(list, places, 1);
        assert_eq!(places[1].leave(), Fate::Withdrawn);
        repair_and_sweep(list, me);
        assert_eq!(places[2].leave(), Fate::Notified);
    });
}

#[test]
fn the_dead_are_passed_over_and_the_longest_comes_first() {
    scene(|list, me, places| {
        assert_eq!(list.notify(1).unwrap(), 1);
        assert_eq!((places[1].pass(), places[2].pass()), (Some(Fate::Notified), None));
        come(list, me, DEAD);
        assert_eq!(list.notify(9).unwrap(), 1);
        assert_eq!(places[2].leave(), Fate::Notified);
        list.outlive(DEAD).unwrap();
        list.end().unwrap();
        assert_eq!(list.chunks().unwrap().len(), 4);
        assert!(places.iter().all(|place| place.leave() == Fate::Gone));
    });
}
