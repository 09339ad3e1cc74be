//! A redis server of this run's own, on a Unix socket, without persistence; each process is a client with one request in flight. Speaks the few lines of its protocol that GET and SET need.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::crew::Crew;
use crate::harness::system::shared_name;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::dict::{Job, Map, Shape, fill};

pub(crate) const ROLE: &str = "redis";
const MISSING: &str = "needs redis-server: apt-get install redis-server";

/// The server, started and filled at the first round.
pub(crate) struct Side(Option<Server>);

impl Side {
    pub(crate) fn new() -> Side {
        Side(None)
    }

    pub(crate) fn round(&mut self, shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
        if self.0.is_none() {
            let server = Server::start()?;
            fill(&mut Client::connect(&server.socket())?, shape)?;
            self.0 = Some(server);
        }
        let Some(server) = &self.0 else { return Err(Trouble::failed("no server")) };
        let mut crew = Crew::new()?;
        for mut arguments in shape.jobs(budget) {
            arguments.push(server.socket().to_string_lossy().into_owned());
            crew.role(ROLE, &arguments)?;
        }
        shape.measure(crew)
    }
}

struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    fn start() -> Result<Server, Trouble> {
        let folder = Path::new("/dev/shm").join(shared_name("redis"));
        std::fs::create_dir(&folder)?;
        let socket = folder.join("socket");
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&folder);
                return Err(if error.kind() == std::io::ErrorKind::NotFound { Trouble::Missing(MISSING.to_owned()) } else { error.into() });
            }
        };
        let server = Server { child, folder };
        let deadline = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(&socket).is_err() {
            if Instant::now() > deadline {
                return Err(Trouble::failed("redis-server did not open its socket"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    let socket: String = member::next(&mut arguments, "socket")?;
    job.work(&mut Client::connect(Path::new(&socket))?)
}

struct Client {
    stream: BufReader<UnixStream>,
    request: Vec<u8>,
    line: Vec<u8>,
}

impl Client {
    fn connect(socket: &Path) -> Result<Client, Trouble> {
        Ok(Client { stream: BufReader::new(UnixStream::connect(socket)?), request: Vec::new(), line: Vec::new() })
    }

    fn add(&mut self, parts: &[&[u8]]) {
        // Writing to a vector does not fail.
        let _ = write!(self.request, "*{}\r\n", parts.len());
        for part in parts {
            let _ = write!(self.request, "${}\r\n", part.len());
            self.request.extend_from_slice(part);
            self.request.extend_from_slice(b"\r\n");
        }
    }

    fn send(&mut self) -> Result<(), Trouble> {
        self.stream.get_ref().write_all(&self.request)?;
        self.request.clear();
        Ok(())
    }

    fn read_line(&mut self) -> Result<&[u8], Trouble> {
        self.line.clear();
        self.stream.read_until(b'\n', &mut self.line)?;
        Ok(self.line.trim_ascii_end())
    }

    fn expect_ok(&mut self) -> Result<(), Trouble> {
        let answer = self.read_line()?;
        if answer == b"+OK" { Ok(()) } else { Err(Trouble::failed(format!("redis answered {:?}", String::from_utf8_lossy(answer)))) }
    }
}

impl Map for Client {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, Trouble> {
        self.add(&[b"GET", key]);
        self.send()?;
        let answer = self.read_line()?;
        let Some(len) = answer.strip_prefix(b"$").and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.parse::<i64>().ok()) else {
            return Err(Trouble::failed(format!("redis answered {:?}", String::from_utf8_lossy(answer))));
        };
        let Ok(len) = usize::try_from(len) else { return Ok(false) };
        out.resize(len + 2, 0);
        self.stream.read_exact(out)?;
        out.truncate(len);
        Ok(true)
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Trouble> {
        self.add(&[b"SET", key, value]);
        self.send()?;
        self.expect_ok()
    }

    fn fill(&mut self, pairs: &mut dyn Iterator<Item = ([u8; 16], Vec<u8>)>) -> Result<(), Trouble> {
        let pairs: Vec<_> = pairs.collect();
        for some in pairs.chunks(500) {
            for (key, value) in some {
                self.add(&[b"SET", key, value]);
            }
            self.send()?;
            some.iter().try_for_each(|_| self.expect_ok())?;
        }
        Ok(())
    }
}
