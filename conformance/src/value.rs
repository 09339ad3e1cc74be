//! Values as they stand in the lines of drivers, and when two are the same. Knows JSON only; the notation is on the page of the contract.

use serde_json::Value;

/// Whether these are the same value, of the same types: 1 is not 1.0 and a list is no tuple. Sets and maps have no order.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    ordered(left) == ordered(right)
}

/// Whether both have the same elements, each as often, in any order.
pub(crate) fn same_elements(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => sorted(left) == sorted(right),
        _ => same(left, right),
    }
}

/// This value with the elements of sets and the entries of maps in one order, and -0.0 told from 0.0.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(ordered).collect(),
        Value::Object(tag) => tag
            .iter()
            .map(|(name, inner)| match (name.as_str(), inner) {
                ("set" | "frozenset" | "map", Value::Array(items)) => (name.clone(), sorted(items)),
                _ => (name.clone(), ordered(inner)),
            })
            .collect(),
        other => other.clone(),
    }
}

fn sorted(items: &[Value]) -> Value {
    let mut items: Vec<Value> = items.iter().map(ordered).collect();
    items.sort_by_cached_key(Value::to_string);
    Value::Array(items)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_count_and_the_order_of_sets_does_not() {
        assert!(same(&json!({"set": [1, 2]}), &json!({"set": [2, 1]})));
        assert!(same(&json!([{"map": [[1, {"set": ["a", "b"]}], [2, 3]]}]), &json!([{"map": [[2, 3], [1, {"set": ["b", "a"]}]]}])));
        assert!(!same(&json!(1), &json!(1.0)));
        assert!(!same(&json!([1]), &json!({"tuple": [1]})));
        assert!(!same(&json!([1, 2]), &json!([2, 1])));
        assert!(same_elements(&json!([1, 2, 2]), &json!([2, 1, 2])));
        assert!(!same_elements(&json!([1, 2, 2]), &json!([2, 1, 1])));
    }
}
