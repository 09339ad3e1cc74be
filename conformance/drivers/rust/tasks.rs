//! Processes, pools, workers, and the tasks that every driver offers under the same names.

use std::time::Duration;

use polyproc::{AsyncResult, Fabric, Options, Pool, PoolClient, Process, Retry, Worker, task};

use crate::thing::{Any, Fault, Reply, Step, Thing, done};

#[task(name = "echo")]
fn echo(value: Any) -> Any {
    value
}

#[task(name = "add")]
fn add(left: i64, right: i64) -> i64 {
    left + right
}

#[task(name = "square")]
fn square(n: i64) -> i64 {
    n * n
}

#[task(name = "fail")]
fn fail(text: String) {
    panic!("{text}")
}

#[task(name = "leave")]
fn leave(code: i32) {
    std::process::exit(code)
}

/// Dies as if killed from outside.
#[task(name = "die")]
fn die() {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

#[task(name = "sleep")]
fn sleep(seconds: f64) -> f64 {
    std::thread::sleep(Duration::from_secs_f64(seconds));
    seconds
}

/// Puts a value into a queue.
#[task(name = "put")]
fn put(queue: polyproc::Queue<Any>, value: Any) {
    queue.put(&value).unwrap();
}

pub(crate) fn general(fabric: &Fabric, does: &str, step: &Step) -> Result<Reply, Fault> {
    let thing: Box<dyn Thing> = match does {
        "spawn" => Box::new(spawn(step)?),
        "pool" => {
            let mut builder = Pool::builder().fabric(fabric).workers(step.int(0)? as usize);
            if let Some(name) = step.with["name"].as_str() {
                builder = builder.name(name);
            }
            Box::new(builder.build()?)
        }
        "connect" => Box::new(Pool::connect(fabric, step.text(0)?)?),
        "worker" => Box::new(Worker::new(fabric, step.text(0)?)?),
        _ => return Err(Fault::Unsupported),
    };
    Ok(Reply::Thing(Any::Nil, thing))
}

fn spawn(step: &Step) -> Result<Process, Fault> {
    let args = step.items(1)?;
    let wrong = || Fault::driver("arguments that do not fit the task");
    Ok(match step.text(0)? {
        "leave" => Process::spawn(leave, (args[0].as_i64().ok_or_else(wrong)? as i32,))?,
        "fail" => Process::spawn(fail, (args[0].as_str().ok_or_else(wrong)?.to_owned(),))?,
        "die" => Process::spawn(die, ())?,
        "sleep" => Process::spawn(sleep, (args[0].as_f64().ok_or_else(wrong)?,))?,
        "put" => Process::spawn(put, (rmpv::ext::from_value(args[0].clone()).map_err(|_| wrong())?, args[1].clone()))?,
        "echo" => Process::spawn(echo, (args[0].clone(),))?,
        other => return Err(Fault::driver(format!("no task {other}"))),
    })
}

impl Thing for Process {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        let code = |code: Option<i32>| code.map_or(Any::Nil, Any::from).into();
        Ok(match step.does.as_str() {
            "join" => match step.timeout {
                None => self.join()?.code.into(),
                Some(time) => code(self.join_timeout(time)?.map(|exit| exit.code)),
            },
            "exit_code" => code(self.exit_code()),
            "is_alive" => self.is_alive().into(),
            "terminate" => done(self.terminate()?),
            "kill" => done(self.kill()?),
            "has_pid" => (self.pid() > 1).into(),
            "failure" => self.join()?.failure.map_or(Any::Nil, |failure| failure.message().unwrap_or_default().into()).into(),
            _ => return Err(Fault::Unsupported),
        })
    }
}

/// The arguments of a call, as a tuple of any length.
fn arguments(step: &Step) -> Result<Vec<Any>, Fault> {
    Ok(step.items(1)?.to_vec())
}

/// A call may be retried: `with = { retries = 2 }`; or limited: `with = { limit = 0.1 }`.
fn options(step: &Step) -> Options {
    let mut options = Options::new();
    if let Some(times) = step.with["retries"].as_u64() {
        options = options.retry(Retry::on_death(times as u32));
    }
    if let Some(seconds) = step.with["limit"].as_f64() {
        options = options.hard_limit(Duration::from_secs_f64(seconds));
    }
    options
}

impl Thing for Pool {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        Ok(match step.does.as_str() {
            "submit" => Reply::Thing(Any::Nil, Box::new(Pool::with(self, options(step)).submit_by_name::<Any>(step.text(0)?, arguments(step)?)?)),
            "call" => self.call::<Any>(step.text(0)?, arguments(step)?)?.into(),
            "map" => Any::Array(self.map(square, step.items(0)?.iter().filter_map(Any::as_i64))?.into_iter().map(Any::from).collect()).into(),
            "workers" => self.workers().len().into(),
            "close" => {
                self.close();
                done(())
            }
            "terminate" => {
                self.terminate();
                done(())
            }
            "join" => done(self.join()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}

impl Thing for PoolClient {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        Ok(match step.does.as_str() {
            "submit" => Reply::Thing(Any::Nil, Box::new(PoolClient::with(self, options(step)).submit_by_name::<Any>(step.text(0)?, arguments(step)?)?)),
            "call" => self.call::<Any>(step.text(0)?, arguments(step)?)?.into(),
            "map" => Any::Array(self.map(square, step.items(0)?.iter().filter_map(Any::as_i64))?.into_iter().map(Any::from).collect()).into(),
            _ => return Err(Fault::Unsupported),
        })
    }
}

impl Thing for AsyncResult<Any> {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        Ok(match (step.does.as_str(), step.timeout) {
            ("get", None) => self.get()?.into(),
            ("get", Some(time)) => self.get_timeout(time)?.into(),
            ("wait", time) => self.wait(time).into(),
            ("ready", _) => self.ready().into(),
            ("cancel", _) => self.cancel()?.into(),
            _ => return Err(Fault::Unsupported),
        })
    }
}

impl Thing for Worker {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        Ok(match step.does.as_str() {
            // Takes batches until time is up; how many.
            "step" => {
                let before = self.batches();
                Worker::step(self, Some(step.timeout.unwrap_or(Duration::from_secs(10))))?;
                (self.batches() - before).into()
            }
            "run" => {
                self.run()?;
                self.has_left().into()
            }
            "leave" => {
                self.leave();
                done(())
            }
            _ => return Err(Fault::Unsupported),
        })
    }
}
