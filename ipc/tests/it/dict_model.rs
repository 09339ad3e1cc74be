//! Random sequences of operations on a dict against a model that keeps the order of insertion.

use std::collections::BTreeMap;

use polyproc_ipc::{BytesDict, ErrorKind};
use polyproc_testkit::watchdog::watchdog;
use proptest::prelude::*;

use crate::common::{LONG, capped, kind, whole};

#[derive(Clone, Debug)]
enum Act {
    Set(u16, usize),
    SetDefault(u16, usize),
    Delete(u16),
    Pop(u16),
    PopItem,
    Compare(u16, bool, usize),
    CompareDelete(u16, bool),
    Get(u16),
    Clear,
    Look,
    Part(usize),
}

fn act(keys: u16) -> impl Strategy<Value = Act> {
    let key = 0..keys;
    let size = prop_oneof![8 => 0_usize..80, 2 => 80_usize..3000, 1 => 30_000_usize..70_000];
    prop_oneof![
        60 => (key.clone(), size.clone()).prop_map(|(key, size)| Act::Set(key, size)),
        10 => (key.clone(), size.clone()).prop_map(|(key, size)| Act::SetDefault(key, size)),
        30 => key.clone().prop_map(Act::Delete),
        10 => key.clone().prop_map(Act::Pop),
        15 => Just(Act::PopItem),
        10 => (key.clone(), any::<bool>(), size).prop_map(|(key, right, size)| Act::Compare(key, right, size)),
        5 => (key.clone(), any::<bool>()).prop_map(|(key, right)| Act::CompareDelete(key, right)),
        20 => key.prop_map(Act::Get),
        1 => Just(Act::Clear),
        3 => Just(Act::Look),
        3 => (0_usize..200).prop_map(Act::Part),
    ]
}

/// Keys with the number of their insertion, and in their order.
#[derive(Default)]
struct Model {
    values: BTreeMap<u16, (u64, Vec<u8>)>,
    order: BTreeMap<u64, u16>,
    next: u64,
}

impl Model {
    fn set(&mut self, key: u16, value: Vec<u8>) {
        if let Some((_, old)) = self.values.get_mut(&key) {
            *old = value;
        } else {
            self.values.insert(key, (self.next, value));
            self.order.insert(self.next, key);
            self.next += 1;
        }
    }

    fn delete(&mut self, key: u16) -> Option<Vec<u8>> {
        let (number, value) = self.values.remove(&key)?;
        self.order.remove(&number);
        Some(value)
    }

    fn items(&self) -> impl DoubleEndedIterator<Item = (Vec<u8>, Vec<u8>)> {
        self.order.values().map(|key| (bytes_of(*key), self.values[key].1.clone()))
    }
}

fn bytes_of(key: u16) -> Vec<u8> {
    let mut bytes = key.to_be_bytes().to_vec();
    bytes.resize(2 + usize::from(key % 7) * 13, 0xAB);
    bytes
}

fn run(shards: usize, acts: Vec<Act>) {
    let fabric = capped(48 << 20);
    let dict = BytesDict::with_shards(&fabric, None, shards).unwrap();
    let mut model = Model::default();
    let mut stamp = 0_u8;
    for act in acts {
        let before = dict.version().unwrap();
        let mut changed = true;
        stamp = stamp.wrapping_add(1);
        match act {
            Act::Set(key, size) => {
                dict.set(&bytes_of(key), &vec![stamp; size]).unwrap();
                model.set(key, vec![stamp; size]);
            }
            Act::SetDefault(key, size) => {
                let got = dict.set_default(&bytes_of(key), &vec![stamp; size]).unwrap();
                changed = !model.values.contains_key(&key);
                if changed {
                    model.set(key, vec![stamp; size]);
                }
                assert_eq!(*got, model.values[&key].1);
            }
            Act::Delete(key) => {
                let had = model.delete(key).is_some();
                changed = had;
                assert_eq!(dict.delete(&bytes_of(key)).map_err(|error| error.kind()), if had { Ok(()) } else { Err(ErrorKind::NotFound) });
            }
            Act::Pop(key) => {
                let had = model.delete(key);
                changed = had.is_some();
                assert_eq!(dict.take(&bytes_of(key)).unwrap().map(|value| value.to_vec()), had);
            }
            Act::PopItem => {
                if let Some(key) = model.order.last_key_value().map(|(_, key)| *key) {
                    let (got, value) = dict.pop_item().unwrap();
                    assert_eq!((got.to_vec(), Some(value.to_vec())), (bytes_of(key), model.delete(key)));
                } else {
                    changed = false;
                    assert_eq!(kind(dict.pop_item()), ErrorKind::NotFound);
                }
            }
            Act::Compare(key, right, size) => {
                let version = dict.get_versioned(&bytes_of(key)).unwrap().map(|(_, version)| version);
                let expected = if right { version } else { Some(version.unwrap_or(0) + 1) };
                let done = dict.compare_and_set(&bytes_of(key), expected, &vec![stamp; size]).unwrap();
                assert_eq!(done.is_some(), right);
                changed = right;
                if right {
                    assert!(done > version);
                    model.set(key, vec![stamp; size]);
                }
            }
            Act::CompareDelete(key, right) => {
                let version = dict.get_versioned(&bytes_of(key)).unwrap().map_or(7, |(_, version)| version);
                changed = dict.compare_and_delete(&bytes_of(key), version + u64::from(!right)).unwrap();
                assert_eq!(changed, right && model.delete(key).is_some());
            }
            Act::Get(key) => {
                changed = false;
                let value = dict.get(&bytes_of(key)).unwrap();
                assert_eq!(value.is_some(), dict.contains(&bytes_of(key)).unwrap());
                assert_eq!(value.as_deref(), model.values.get(&key).map(|(_, value)| &value[..]));
            }
            Act::Clear => {
                dict.clear().unwrap();
                model = Model { next: model.next, ..Model::default() };
            }
            Act::Look => {
                changed = false;
                let all = |items: polyproc_ipc::BytesEntries<(polyproc_ipc::Message, polyproc_ipc::Message)>| -> Vec<_> {
                    items.map(|item| item.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap()).collect()
                };
                assert_eq!(all(dict.items()), model.items().collect::<Vec<_>>());
                assert_eq!(all(dict.items_reversed()), model.items().rev().collect::<Vec<_>>());
                whole(&fabric);
            }
            Act::Part(count) => {
                changed = false;
                assert!(dict.keys().take(count).map(|key| key.unwrap().to_vec()).eq(model.items().take(count).map(|(key, _)| key)));
            }
        }
        assert_eq!(dict.len(), model.values.len());
        assert_eq!(dict.version().unwrap() != before, changed, "the version changes with every change and with nothing else");
    }
    let snapshot: Vec<_> = dict.snapshot().unwrap().into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    assert_eq!(snapshot, model.items().collect::<Vec<_>>());
    assert_eq!(whole(&fabric).private_chunks, 0);
    dict.destroy().unwrap();
    assert_eq!(whole(&fabric).held_chunks, 1);
}

proptest! {
    // Found cases are printed; files of them would be left in the source tree.
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_dict_does_what_its_model_does(shards in (0_u32..5).prop_map(|power| 1 << power), acts in prop::collection::vec(act(60), 1..300)) {
        watchdog(LONG, || run(shards, acts));
    }

    #[test]
    fn a_crowded_shard_does_what_its_model_does(acts in prop::collection::vec(act(2000), 1..1500)) {
        watchdog(LONG, || run(1, acts));
    }
}
