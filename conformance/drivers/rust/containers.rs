//! Dict, set, list, namespace.

use polyproc::{Dict, List, Namespace, Set, Slice, Ticket};

use crate::thing::{Any, Fault, Reply, Step, Thing, done};

fn list(items: impl IntoIterator<Item = Any>) -> Reply {
    Reply::Value(Any::Array(items.into_iter().collect()))
}

fn pair((key, value): (Any, Any)) -> Any {
    Any::Array(vec![key, value])
}

fn missing(what: &str) -> Fault {
    Fault::Error { kind: "NotFound".into(), text: format!("{what} has no such item") }
}

impl Thing for Dict<Any, Any> {
    fn ticket(&self) -> Option<Ticket> {
        Some(Dict::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        let key = || step.arg(0);
        Ok(match step.does.as_str() {
            "set" => {
                self.set(key()?, step.arg(1)?)?;
                done(())
            }
            "get" => self.item(key()?)?.into(),
            "get_or" => self.get_or(key()?, step.arg(1)?.clone())?.into(),
            "contains" => self.contains(key()?)?.into(),
            "delete" => done(self.delete(key()?)?),
            "pop" => self.pop(key()?)?.into(),
            "pop_or" => self.pop_or(key()?, step.arg(1)?.clone())?.into(),
            "pop_item" => pair(self.pop_item()?).into(),
            "set_default" => self.set_default(key()?, step.arg(1)?)?.into(),
            "increment" => self.increment(key()?, step.int(1)?)?.into(),
            "update" => {
                let entries = step.items(0)?.iter().filter_map(|entry| entry.as_array().map(|entry| (entry[0].clone(), entry[1].clone())));
                done(self.update(entries.collect::<Vec<_>>())?)
            }
            "keys" => list(self.keys().collect::<Result<Vec<_>, _>>()?),
            "values" => list(self.values().collect::<Result<Vec<_>, _>>()?),
            "items" => list(self.snapshot()?.into_iter().map(pair)),
            "keys_reversed" => list(self.keys_reversed().collect::<Result<Vec<_>, _>>()?),
            "len" => self.len().into(),
            "clear" => done(self.clear()?),
            "copy" => Reply::Thing(Any::Nil, Box::new(self.copy()?)),
            "get_version" => {
                let found = self.get_versioned(key()?)?.ok_or_else(|| missing("the dict"))?;
                Any::Array(vec![found.value, found.version.into()]).into()
            }
            "compare_and_set" => self.compare_and_set(key()?, step.arg(1)?.as_u64(), step.arg(2)?)?.is_some().into(),
            "wait_key" => self.wait_key(key()?, None, step.timeout)?.map_or(Any::Nil, |found| found.value).into(),
            "destroy" => done(self.destroy()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}

impl Thing for Set<Any> {
    fn ticket(&self) -> Option<Ticket> {
        Some(Set::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        let other = || Ok::<_, Fault>(step.items(0)?.to_vec());
        Ok(match step.does.as_str() {
            "add" => self.add(step.arg(0)?)?.into(),
            "contains" => self.contains(step.arg(0)?)?.into(),
            "discard" => self.discard(step.arg(0)?)?.into(),
            "remove" => done(self.remove(step.arg(0)?)?),
            "pop" => self.pop()?.into(),
            "len" => self.len().into(),
            "clear" => done(self.clear()?),
            "items" => list(self.snapshot()?),
            "union" => list(self.union(other()?)?),
            "intersection" => list(self.intersection(other()?)?),
            "difference" => list(self.difference(other()?)?),
            "symmetric_difference" => list(self.symmetric_difference(other()?)?),
            "update" => done(self.update(other()?)?),
            "intersection_update" => done(self.intersection_update(other()?)?),
            "difference_update" => done(self.difference_update(other()?)?),
            "symmetric_difference_update" => done(self.symmetric_difference_update(other()?)?),
            "is_subset" => self.is_subset(other()?)?.into(),
            "is_superset" => self.is_superset(other()?)?.into(),
            "is_disjoint" => self.is_disjoint(other()?)?.into(),
            "destroy" => done(self.destroy()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}

impl Thing for Namespace {
    fn ticket(&self) -> Option<Ticket> {
        Some(Namespace::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        Ok(match step.does.as_str() {
            "set" => done(Namespace::set(self, step.text(0)?, step.arg(1)?)?),
            "get" => Namespace::get::<Any>(self, step.text(0)?)?.into(),
            "delete" => done(self.delete(step.text(0)?)?),
            "contains" => self.contains(step.text(0)?)?.into(),
            "names" => list(self.names()?.into_iter().map(Any::from)),
            "destroy" => done(self.destroy()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}

impl Thing for List<Any> {
    fn ticket(&self) -> Option<Ticket> {
        Some(List::ticket(self))
    }

    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        // start, stop, step: null where it is left out.
        let slice = || Slice::new(step.args.first().and_then(Any::as_i64), step.args.get(1).and_then(Any::as_i64), step.args.get(2).and_then(Any::as_i64));
        Ok(match step.does.as_str() {
            "append" => done(self.append(step.arg(0)?)?),
            "extend" => done(self.extend(step.items(0)?)?),
            "insert" => done(self.insert(step.int(0)?, step.arg(1)?)?),
            "get" => List::get(self, step.int(0)?)?.into(),
            "set" => done(List::set(self, step.int(0)?, step.arg(1)?)?),
            "delete" => done(self.delete(step.int(0)?)?),
            "pop" => if step.args.is_empty() { self.pop()? } else { self.pop_at(step.int(0)?)? }.into(),
            "slice" => list(self.get_slice(slice())?),
            "set_slice" => done(self.set_slice(slice(), step.items(3)?)?),
            "delete_slice" => done(self.delete_slice(slice())?),
            "index" => self.index(step.arg(0)?)?.ok_or_else(|| missing("the list"))?.into(),
            "count" => self.count(step.arg(0)?)?.into(),
            "contains" => self.contains(step.arg(0)?)?.into(),
            "remove" => {
                if !self.remove(step.arg(0)?)? {
                    return Err(missing("the list"));
                }
                done(())
            }
            "reverse" => done(self.reverse()?),
            "sort" => done(self.sort_by(compare)?),
            "sort_reverse" => done(self.sort_by(|left, right| compare(right, left))?),
            "repeat" => done(self.repeat(step.int(0)? as usize)?),
            "times" => list(self.times(step.int(0)? as usize)?),
            "plus" => list(self.plus(step.items(0)?.to_vec())?),
            "increment" => self.increment(step.int(0)?, step.int(1)?)?.into(),
            "compare_and_set" => self.compare_and_set(step.int(0)?, step.arg(1)?, step.arg(2)?)?.into(),
            "items" => list(self.to_vec()?),
            "len" => self.len()?.into(),
            "clear" => done(self.clear()?),
            "destroy" => done(self.destroy()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}

/// Numbers by size, texts by code point.
fn compare(left: &Any, right: &Any) -> std::cmp::Ordering {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => left.as_str().cmp(&right.as_str()),
    }
}
