//! Pipes: the first actor listens under the object's name, the second connects.

use polyproc::{Connection, Fabric, Listener, Peering, connect};

use crate::thing::{Any, Fault, Reply, Step, Thing, done};

pub(crate) enum End {
    Listening(Listener),
    Connected(Connection),
}

impl End {
    pub(crate) fn new(fabric: &Fabric, name: &str, new: bool) -> Result<End, Fault> {
        let folder = std::path::PathBuf::from(std::env::var_os("POLYPROC_DIR").ok_or_else(|| Fault::driver("POLYPROC_DIR is not set"))?);
        let path = folder.join(format!("{}-{name}", fabric.name().unwrap_or_default()));
        Ok(if new { End::Listening(Listener::bind(path, &Peering::new())?) } else { End::Connected(connect(&path.into(), &Peering::new())?) })
    }

    fn connection(&mut self) -> Result<&Connection, Fault> {
        if let End::Listening(listener) = self {
            *self = End::Connected(listener.accept()?);
        }
        match self {
            End::Connected(connection) => Ok(connection),
            End::Listening(_) => unreachable!("it has just accepted"),
        }
    }
}

impl Thing for End {
    fn does(&mut self, step: &Step) -> Result<Reply, Fault> {
        let pipe = self.connection()?;
        let time = step.timeout;
        Ok(match (step.does.as_str(), time) {
            ("send", None) => done(pipe.send(step.arg(0)?)?),
            ("send", Some(time)) => done(pipe.send_timeout(step.arg(0)?, time)?),
            ("recv", None) => pipe.recv::<Any>()?.into(),
            ("recv", Some(time)) => pipe.recv_timeout::<Any>(time)?.into(),
            ("send_bytes", _) => done(pipe.send_bytes(step.bytes(0)?)?),
            ("recv_bytes", None) => Any::Binary(pipe.recv_bytes()?).into(),
            ("recv_bytes", Some(time)) => Any::Binary(pipe.recv_bytes_timeout(time)?).into(),
            ("recv_bytes_max", _) => Any::Binary(pipe.recv_bytes_max(step.int(0)? as u64)?).into(),
            ("poll", _) => pipe.poll(time)?.into(),
            ("close", _) => done(pipe.close()?),
            _ => return Err(Fault::Unsupported),
        })
    }
}
