//! Cases as data: reads `cases/**/*.toml`. Knows no driver. The page that explains the form is conformance/README.md.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// One behaviour.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// File, case, and what stands for `$` in it if there are several: `queue/fifo`, `values/round-trip/nan`.
    pub(crate) name: String,
    pub(crate) about: String,
    /// Whether the model, CPython's `multiprocessing`, knows the behaviour.
    pub(crate) has_model: bool,
    /// Why it does otherwise there, if it does.
    pub(crate) differs: Option<String>,
    /// Name, kind and options of each object, those that name others behind them. The first actor makes them, the others open them.
    pub(crate) objects: Vec<(String, String, Value)>,
    /// In the order in which they appear.
    pub(crate) actors: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) act: Act,
    pub(crate) expected: Expected,
    /// What is expected of the model, where that is something else.
    pub(crate) expected_of_model: Option<Expected>,
    /// It must take so many seconds at least.
    pub(crate) least: f64,
    /// It is done again until what is expected comes, for so many seconds.
    pub(crate) within: f64,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// An actor does something: the line for its driver. With a name the answer is awaited later.
    Do {
        actor: String,
        line: Value,
        later: Option<String>,
    },
    /// The answer of an earlier step.
    Await(String),
    /// An earlier step has no answer yet, and none comes for a moment.
    Still(String),
    Kill(String),
    Leave(String),
    /// An actor that was not there from the beginning.
    Join(String),
    Pause(f64),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expected {
    Anything,
    Is(Value),
    Elements(Value),
    OneOf(Vec<Value>),
    /// A text that has this in it.
    Contains(String),
    Error {
        kind: String,
        text: Option<String>,
    },
}

/// Reads all cases below a folder, sorted by name.
pub(crate) fn load(folder: &Path) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    read_folder(folder, "", &mut cases)?;
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    match cases.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(format!("two cases are called {}", pair[0].name)),
        None => Ok(cases),
    }
}

fn read_folder(folder: &Path, prefix: &str, cases: &mut Vec<Case>) -> Result<(), String> {
    let fault = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            read_folder(&path, &format!("{prefix}{name}/"), cases)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).map_err(fault)?;
            cases.extend(parse(&text, &format!("{prefix}{name}")).map_err(|fault| format!("{}: {fault}", path.display()))?);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What all cases of the file are about.
    #[allow(dead_code, reason = "for who reads the file")]
    about: String,
    #[serde(default)]
    model: bool,
    #[serde(default)]
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    case: BTreeMap<String, Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    about: String,
    model: Option<bool>,
    differs: Option<String>,
    #[serde(default)]
    objects: BTreeMap<String, BTreeMap<String, Value>>,
    steps: Vec<BTreeMap<String, Value>>,
    /// The case is played once for each of these: `$name` in it stands for the value of that name.
    #[serde(default)]
    each: BTreeMap<String, BTreeMap<String, Value>>,
}

fn parse(text: &str, prefix: &str) -> Result<Vec<Case>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut cases = Vec::new();
    for (name, raw) in &file.case {
        let mut build = |name: String, values: &BTreeMap<String, Value>| {
            let case = one(&file, raw, &name, values).map_err(|fault| format!("{name}: {fault}"))?;
            cases.push(case);
            Ok::<(), String>(())
        };
        if raw.each.is_empty() {
            build(format!("{prefix}/{name}"), &BTreeMap::new())?;
        }
        raw.each.iter().try_for_each(|(variant, values)| build(format!("{prefix}/{name}/{variant}"), values))?;
    }
    Ok(cases)
}

fn one(file: &File, raw: &Raw, name: &str, values: &BTreeMap<String, Value>) -> Result<Case, String> {
    let mut objects = BTreeMap::new();
    for (object, options) in file.objects.iter().chain(&raw.objects) {
        let mut options = options.clone();
        let kind = options.remove("kind").ok_or(format!("object {object} has no kind"))?;
        let kind = filled(kind, values).as_str().ok_or(format!("the kind of {object} is no text"))?.to_owned();
        let options = options.into_iter().map(|(key, value)| (key, filled(value, values))).collect();
        objects.insert(object.clone(), (kind, Value::Object(options)));
    }
    let names_another = |(_, options): &(String, Value)| {
        options.as_object().into_iter().flatten().any(|(_, value)| value.as_str().is_some_and(|name| objects.contains_key(name)))
    };
    let mut objects: Vec<(bool, String, String, Value)> =
        objects.iter().map(|(name, made)| (names_another(made), name.clone(), made.0.clone(), made.1.clone())).collect();
    objects.sort_by_key(|(later, ..)| *later);
    let objects = objects.into_iter().map(|(_, name, kind, options)| (name, kind, options)).collect();
    let steps: Vec<Step> = raw
        .steps
        .iter()
        .enumerate()
        .map(|(number, step)| {
            let step: BTreeMap<String, Value> = step.iter().map(|(key, value)| (key.clone(), filled(value.clone(), values))).collect();
            if let Some(left) = step.values().map(Value::to_string).find(|text| text.contains('$')) {
                return Err(format!("step {}: nothing stands for {left}", number + 1));
            }
            read_step(step).map_err(|fault| format!("step {}: {fault}", number + 1))
        })
        .collect::<Result<_, _>>()?;
    let mut actors: Vec<String> = vec!["a".to_owned()];
    for step in &steps {
        if let Act::Do { actor, .. } | Act::Join(actor) | Act::Kill(actor) | Act::Leave(actor) = &step.act
            && !actors.contains(actor)
        {
            actors.push(actor.clone());
        }
    }
    let has_model = raw.model.unwrap_or(file.model);
    Ok(Case { name: name.to_owned(), about: raw.about.clone(), has_model, differs: raw.differs.clone(), objects, actors, steps })
}

/// With what stands for `$name` (at the end of a text, `mine.$name`, too), and null for `{ nil = true }`, which TOML has no word for.
fn filled(value: Value, values: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => match text.split_once('$').map(|(before, name)| (before, values.get(name))) {
            Some(("", Some(value))) => filled(value.clone(), &BTreeMap::new()),
            Some((before, Some(Value::String(rest)))) => Value::String(format!("{before}{rest}")),
            _ => Value::String(text),
        },
        Value::Array(items) => items.into_iter().map(|item| filled(item, values)).collect(),
        Value::Object(tag) if tag.len() == 1 && tag.get("nil") == Some(&Value::Bool(true)) => Value::Null,
        Value::Object(tag) => tag.into_iter().map(|(name, inner)| (name, filled(inner, values))).collect(),
        other => other,
    }
}

fn read_step(mut step: BTreeMap<String, Value>) -> Result<Step, String> {
    let mut seconds = |name: &str| step.remove(name).map_or(Some(0.0), |seconds| seconds.as_f64()).ok_or(format!("`{name}` is no number"));
    let (least, within) = (seconds("least")?, seconds("within")?);
    let model = step.remove("model").map(|model| match model {
        Value::Object(fields) => expectation(&mut fields.into_iter().collect()),
        _ => Err("`model` is no table".to_owned()),
    });
    let expected = expectation(&mut step)?;
    let act = act(&mut step)?;
    match step.keys().next() {
        Some(unknown) => Err(format!("`{unknown}` means nothing here")),
        None => Ok(Step { act, expected, expected_of_model: model.transpose()?, least, within }),
    }
}

fn expectation(fields: &mut BTreeMap<String, Value>) -> Result<Expected, String> {
    let mut text = |name: &str| match fields.remove(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` is no text")),
        None => Ok(None),
    };
    let (error, text, contains) = (text("error")?, text("text")?, text("contains")?);
    if let Some(part) = contains {
        return Ok(Expected::Contains(part));
    }
    match (error, fields.remove("is"), fields.remove("elements"), fields.remove("one_of")) {
        (None, None, None, None) => Ok(Expected::Anything),
        (Some(kind), None, None, None) => Ok(Expected::Error { kind, text }),
        (None, Some(value), None, None) => Ok(Expected::Is(value)),
        (None, None, Some(value), None) => Ok(Expected::Elements(value)),
        (None, None, None, Some(Value::Array(values))) => Ok(Expected::OneOf(values)),
        _ => Err("of `is`, `elements`, `one_of` and `error` there can be one".into()),
    }
}

fn act(step: &mut BTreeMap<String, Value>) -> Result<Act, String> {
    for (name, make) in [("await", Act::Await as fn(String) -> Act), ("still", Act::Still), ("kill", Act::Kill), ("leave", Act::Leave), ("join", Act::Join)] {
        if let Some(value) = step.remove(name) {
            return value.as_str().map(|value| make(value.to_owned())).ok_or(format!("`{name}` is no text"));
        }
    }
    if let Some(seconds) = step.remove("pause") {
        return seconds.as_f64().map(Act::Pause).ok_or("`pause` is no number".into());
    }
    let actor = step.keys().find(|key| key.len() == 1).cloned().ok_or("nobody does anything")?;
    let what = step.remove(&actor).and_then(|what| what.as_str().map(str::to_owned)).ok_or("what an actor does is no text")?;
    let (on, does) = what.rsplit_once('.').map_or((None, what.as_str()), |(on, does)| (Some(on), does));
    let mut line = serde_json::json!({ "do": does, "args": step.remove("args").unwrap_or_else(|| Value::Array(Vec::new())) });
    if let Some(on) = on {
        line["on"] = on.into();
    }
    for key in ["timeout", "as", "with"] {
        if let Some(value) = step.remove(key) {
            line[key] = value;
        }
    }
    let later = step.remove("later").map(|later| later.as_str().map(str::to_owned).ok_or("`later` is no text")).transpose()?;
    Ok(Act::Do { actor, line, later })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cases_are_read_and_filled() {
        let cases = parse(
            r#"
            about = "test"
            model = true
            objects.q = { kind = "queue", capacity = 2 }
            [case.each-one]
            about = "a value comes back"
            each.nothing = { value = { nil = true } }
            each.number = { value = 1.0 }
            steps = [ { a = "q.put", args = ["$value"] }, { b = "q.get", timeout = 0.5, is = "$value", later = "x", model = { error = "Empty" } }, { await = "x", least = 0.1 } ]
            "#,
            "f",
        )
        .unwrap();
        assert_eq!(cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), ["f/each-one/nothing", "f/each-one/number"]);
        let case = &cases[0];
        assert!(case.has_model && case.actors == ["a", "b"] && case.objects == [("q".into(), "queue".into(), json!({"capacity": 2}))]);
        let Act::Do { actor, line, later } = &case.steps[1].act else { panic!("{:?}", case.steps[1]) };
        assert_eq!((actor.as_str(), line, later.as_deref()), ("b", &json!({"do": "get", "args": [], "on": "q", "timeout": 0.5}), Some("x")));
        assert_eq!(case.steps[1].expected, Expected::Is(Value::Null));
        assert_eq!(case.steps[1].expected_of_model, Some(Expected::Error { kind: "Empty".into(), text: None }));
        assert_eq!(cases[1].steps[0].act.clone().line(), json!({"do": "put", "args": [1.0], "on": "q"}));
    }

    impl Act {
        fn line(self) -> Value {
            let Act::Do { line, .. } = self else { panic!("{self:?}") };
            line
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (steps, why) in [("{ a = 'q.put', arg = 1 }", "`arg`"), ("{ is = 1 }", "nobody"), ("{ a = 'x', is = 1, error = 'Full' }", "there can be one")] {
            let fault = parse(&format!("about = ''\n[case.x]\nabout = ''\nsteps = [ {steps} ]"), "f").unwrap_err();
            assert!(fault.contains(why), "{fault}");
        }
    }

    #[test]
    fn the_suites_own_cases_can_be_read() {
        let cases = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
        assert!(cases.len() >= 300, "{} cases", cases.len());
        for case in &cases {
            assert!(!case.about.is_empty() && case.steps.len() > 1, "{}", case.name);
            assert!(
                case.differs.is_none() || case.steps.iter().any(|step| step.expected_of_model.is_some()) || !case.has_model,
                "{}: nothing differs",
                case.name
            );
        }
    }
}
