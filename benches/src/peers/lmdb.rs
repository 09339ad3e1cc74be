//! LMDB through heed, in a folder of /dev/shm and without waiting for any disk: a transaction for each operation, as processes that share it must.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};

use crate::harness::crew::Crew;
use crate::harness::system::shared_name;
use crate::harness::{Budget, Sample, Trouble, member};
use crate::scenarios::dict::{Job, Map, Shape, fill};

pub(crate) const ROLE: &str = "lmdb";

/// The folder, made and filled at the first round, removed when dropped.
pub(crate) struct Side(Option<PathBuf>);

impl Side {
    pub(crate) fn new() -> Side {
        Side(None)
    }

    pub(crate) fn round(&mut self, shape: Shape, budget: Budget) -> Result<Sample, Trouble> {
        if self.0.is_none() {
            let folder = Path::new("/dev/shm").join(shared_name("lmdb"));
            std::fs::create_dir(&folder)?;
            self.0 = Some(folder.clone());
            fill(&mut Store::open(&folder)?, shape)?;
        }
        let Some(folder) = &self.0 else { return Err(Trouble::failed("no folder")) };
        let mut crew = Crew::new()?;
        for mut arguments in shape.jobs(budget) {
            arguments.push(folder.to_string_lossy().into_owned());
            crew.role(ROLE, &arguments)?;
        }
        shape.measure(crew)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

pub(crate) fn role(arguments: &[String]) -> Result<(), Trouble> {
    let mut arguments = arguments.iter();
    let job = Job::enter(&mut arguments)?;
    let folder: String = member::next(&mut arguments, "folder")?;
    job.work(&mut Store::open(Path::new(&folder))?)
}

struct Store {
    env: Env,
    database: Database<Bytes, Bytes>,
}

impl Store {
    fn open(folder: &Path) -> Result<Store, Trouble> {
        // SAFETY: the folder is this run's own, nobody changes its files but through LMDB, and a process opens it once.
        let env = unsafe { EnvOpenOptions::new().map_size(1 << 30).flags(EnvFlags::NO_SYNC | EnvFlags::WRITE_MAP).open(folder)? };
        let mut transaction = env.write_txn()?;
        let database = env.create_database(&mut transaction, None)?;
        transaction.commit()?;
        Ok(Store { env, database })
    }
}

impl Map for Store {
    fn get(&mut self, key: &[u8], out: &mut Vec<u8>) -> Result<bool, Trouble> {
        let transaction = self.env.read_txn()?;
        let found = self.database.get(&transaction, key)?;
        if let Some(value) = found {
            out.extend_from_slice(value);
        }
        Ok(found.is_some())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Trouble> {
        let mut transaction = self.env.write_txn()?;
        self.database.put(&mut transaction, key, value)?;
        Ok(transaction.commit()?)
    }

    fn fill(&mut self, pairs: &mut dyn Iterator<Item = ([u8; 16], Vec<u8>)>) -> Result<(), Trouble> {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in pairs {
            self.database.put(&mut transaction, &key, &value)?;
        }
        Ok(transaction.commit()?)
    }
}
