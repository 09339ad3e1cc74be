//! Lists against a model: whatever is done, in whatever order, a list is as Python's.

use polyproc_ipc::{BytesList, ErrorKind, Slice};
use polyproc_testkit::watchdog::watchdog;
use proptest::prelude::*;

use crate::common::{LONG, kind, small, whole};
use crate::list::{contents, slices};

/// Bytes that follow from a number; the lengths are those of slots, of small and of large chunks.
fn item(number: u32) -> Vec<u8> {
    let len = match number % 16 {
        0 => 0,
        1..8 => number as usize % 8,
        8..14 => 8 + number as usize % 200,
        14 => 5000,
        _ => 70_000,
    };
    number.to_le_bytes().into_iter().cycle().take(len).collect()
}

fn items(numbers: &[u32]) -> Vec<Vec<u8>> {
    numbers.iter().map(|number| item(*number)).collect()
}

#[derive(Clone, Debug)]
enum Act {
    Append(u32),
    Extend(Vec<u32>),
    ExtendSmall(usize),
    Insert(i64, u32),
    Pop,
    PopAt(i64),
    Set(i64, u32),
    Delete(i64),
    Get(i64),
    GetSlice(Slice),
    SetSlice(Slice, Vec<u32>),
    SetSameLength(Slice),
    DeleteSlice(Slice),
    Remove(u32),
    Find(u32, Option<i64>, Option<i64>),
    Reverse,
    Sort,
    Repeat(usize),
    Clear,
}

fn index() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -8_i64..8, 2 => -900_i64..900, 1 => any::<i64>()]
}

fn slice() -> impl Strategy<Value = Slice> {
    let step = prop_oneof![4 => Just(None), 2 => Just(Some(1)), 4 => (-5_i64..6).prop_map(Some), 1 => (-700_i64..700).prop_map(Some)];
    (prop::option::of(index()), prop::option::of(index()), step).prop_map(|(start, stop, step)| Slice::new(start, stop, step))
}

fn act() -> impl Strategy<Value = Act> {
    let few = || prop::collection::vec(0..40_u32, 0..6);
    prop_oneof![
        4 => (0..40_u32).prop_map(Act::Append),
        2 => few().prop_map(Act::Extend),
        2 => (0..1300_usize).prop_map(Act::ExtendSmall),
        4 => (index(), 0..40_u32).prop_map(|(index, number)| Act::Insert(index, number)),
        3 => Just(Act::Pop),
        3 => index().prop_map(Act::PopAt),
        3 => (index(), 0..40_u32).prop_map(|(index, number)| Act::Set(index, number)),
        3 => index().prop_map(Act::Delete),
        2 => index().prop_map(Act::Get),
        3 => slice().prop_map(Act::GetSlice),
        4 => (slice(), few()).prop_map(|(slice, numbers)| Act::SetSlice(slice, numbers)),
        2 => slice().prop_map(Act::SetSameLength),
        3 => slice().prop_map(Act::DeleteSlice),
        2 => (0..40_u32).prop_map(Act::Remove),
        2 => (0..40_u32, prop::option::of(index()), prop::option::of(index())).prop_map(|(n, a, b)| Act::Find(n, a, b)),
        1 => Just(Act::Reverse),
        1 => Just(Act::Sort),
        1 => (0..4_usize).prop_map(Act::Repeat),
        1 => Just(Act::Clear),
    ]
}

/// The model's indices of a slice, by Python's definition: none if the step is 0.
fn picked(slice: Slice, len: usize) -> Option<Vec<usize>> {
    let (n, step) = (len as i128, i128::from(slice.step.unwrap_or(1)));
    let from_end = |i: i64| if i < 0 { i128::from(i) + n } else { i128::from(i) };
    let (mut at, stop) = match step {
        0 => return None,
        1.. => (slice.start.map_or(0, from_end).clamp(0, n), slice.stop.map_or(n, from_end).clamp(0, n)),
        _ => (slice.start.map_or(n - 1, from_end).clamp(-1, n - 1), slice.stop.map_or(-1, from_end).clamp(-1, n - 1)),
    };
    let mut all = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        all.push(at as usize);
        at += step;
    }
    Some(all)
}

fn place(index: i64, len: usize) -> Option<usize> {
    let at = if index < 0 { i128::from(index) + len as i128 } else { i128::from(index) };
    (0..len as i128).contains(&at).then_some(at as usize)
}

/// Does it to both, which must agree.
#[allow(clippy::too_many_lines)] // one line or two for each act
fn both(list: &BytesList, model: &mut Vec<Vec<u8>>, act: Act) {
    let len = model.len();
    match act {
        Act::Append(number) => {
            list.append(&item(number)).unwrap();
            model.push(item(number));
        }
        Act::Extend(numbers) => {
            list.extend(&slices(&items(&numbers))).unwrap();
            model.extend(items(&numbers));
        }
        Act::ExtendSmall(count) => {
            if len + count <= 5000 {
                let more: Vec<Vec<u8>> = (0..count as u16).map(|number| number.to_le_bytes().to_vec()).collect();
                list.extend(&slices(&more)).unwrap();
                model.extend(more);
            }
        }
        Act::Insert(index, number) => {
            list.insert(index, &item(number)).unwrap();
            let at = if index < 0 { i128::from(index) + len as i128 } else { i128::from(index) };
            model.insert(at.clamp(0, len as i128) as usize, item(number));
        }
        Act::Pop => match list.pop() {
            Ok(popped) => assert_eq!(Some(popped.into_vec()), model.pop()),
            Err(error) => assert_eq!((error.kind(), len), (ErrorKind::InvalidArgument, 0)),
        },
        Act::PopAt(index) => match place(index, len) {
            Some(at) => assert_eq!(*list.pop_at(index).unwrap(), *model.remove(at)),
            None => assert_eq!(kind(list.pop_at(index)), ErrorKind::InvalidArgument),
        },
        Act::Set(index, number) => match place(index, len) {
            Some(at) => {
                list.set(index, &item(number)).unwrap();
                model[at] = item(number);
            }
            None => assert_eq!(kind(list.set(index, &item(number))), ErrorKind::InvalidArgument),
        },
        Act::Delete(index) => match place(index, len) {
            Some(at) => {
                list.delete(index).unwrap();
                model.remove(at);
            }
            None => assert_eq!(kind(list.delete(index)), ErrorKind::InvalidArgument),
        },
        Act::Get(index) => match place(index, len) {
            Some(at) => assert_eq!(*list.get(index).unwrap(), *model[at]),
            None => assert_eq!(kind(list.get(index)), ErrorKind::InvalidArgument),
        },
        Act::GetSlice(slice) => match picked(slice, len) {
            Some(all) => {
                let got = list.get_slice(slice).unwrap();
                assert_eq!(got.len(), all.len(), "{slice:?} of {len}");
                assert!(got.iter().zip(all).all(|(got, index)| **got == *model[index]), "{slice:?} of {len}");
            }
            None => assert_eq!(kind(list.get_slice(slice)), ErrorKind::InvalidArgument),
        },
        Act::SetSlice(slice, numbers) => {
            let done = list.set_slice(slice, &slices(&items(&numbers)));
            let Some(all) = picked(slice, len) else { return assert_eq!(kind(done), ErrorKind::InvalidArgument) };
            if slice.step.unwrap_or(1) == 1 {
                let start = slice.start.map_or(0, |i| if i < 0 { i128::from(i) + len as i128 } else { i128::from(i) }).clamp(0, len as i128) as usize;
                model.splice(start..start + all.len(), items(&numbers));
                done.unwrap();
            } else if all.len() == numbers.len() {
                all.into_iter().zip(numbers).for_each(|(index, number)| model[index] = item(number));
                done.unwrap();
            } else {
                assert_eq!(kind(done), ErrorKind::InvalidArgument);
            }
        }
        Act::SetSameLength(slice) => {
            let Some(all) = picked(slice, len) else { return };
            let new: Vec<Vec<u8>> = (0..all.len()).map(|number| item(number as u32 % 12)).collect();
            list.set_slice(slice, &slices(&new)).unwrap();
            all.into_iter().zip(new).for_each(|(index, item)| model[index] = item);
        }
        Act::DeleteSlice(slice) => {
            let Some(mut all) = picked(slice, len) else { return assert_eq!(kind(list.delete_slice(slice)), ErrorKind::InvalidArgument) };
            list.delete_slice(slice).unwrap();
            all.sort_unstable();
            all.into_iter().rev().for_each(|index| drop(model.remove(index)));
        }
        Act::Remove(number) => {
            let at = model.iter().position(|other| *other == item(number));
            assert_eq!(list.remove(&item(number)).unwrap(), at.is_some());
            at.map(|at| model.remove(at));
        }
        Act::Find(number, start, stop) => {
            let wanted = item(number);
            let all = picked(Slice::new(start, stop, None), len).unwrap();
            assert_eq!(list.index(&wanted, start, stop).unwrap(), all.into_iter().find(|index| model[*index] == wanted));
            assert_eq!(list.count(&wanted).unwrap(), model.iter().filter(|other| **other == wanted).count());
            assert_eq!(list.contains(&wanted).unwrap(), model.contains(&wanted));
        }
        Act::Reverse => {
            list.reverse().unwrap();
            model.reverse();
        }
        Act::Sort => {
            list.rearrange(|items| {
                let mut order: Vec<usize> = (0..items.len()).collect();
                order.sort_by(|a, b| items[*a].cmp(&items[*b]));
                Ok(order)
            })
            .unwrap();
            model.sort();
        }
        Act::Repeat(times) => {
            if len * times <= 5000 && model.iter().map(Vec::len).sum::<usize>() * times < 4 << 20 {
                list.repeat(times).unwrap();
                *model = std::iter::repeat_n(model.clone(), times).flatten().collect();
            }
        }
        Act::Clear => {
            list.clear().unwrap();
            model.clear();
        }
    }
    assert_eq!(list.len().unwrap(), model.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_list_is_as_pythons(acts in prop::collection::vec(act(), 1..80)) {
        watchdog(LONG, || {
            let fabric = small();
            let list = BytesList::new(&fabric).unwrap();
            let mut model = Vec::new();
            for act in acts.clone() {
                both(&list, &mut model, act);
            }
            assert_eq!(contents(&list), model);
            assert!(list.iter().map(|item| item.unwrap().into_vec()).eq(model.iter().cloned()));
            let report = whole(&fabric);
            assert_eq!((report.private_chunks, report.objects), (0, 1));
            list.destroy().unwrap();
            let report = whole(&fabric);
            assert_eq!((report.held_chunks, report.private_chunks, report.objects), (1, 0, 0));
        });
    }
}
