//! Why a program could not be started: the system says the same of a missing program and a missing directory.

use std::io::{Error as Io, ErrorKind as IoKind};
use std::path::Path;

use rustix::fs::{Access, access};

use crate::{Command, Error};

/// The error that names what is missing or forbidden.
pub(super) fn of(command: &Command, error: &Io) -> Error {
    let program = command.program.display();
    if let Some(dir) = &command.dir
        && let Some(wrong) = wrong_with(dir)
    {
        return Error::new(format!("{wrong} `{}` to run `{program}` in", dir.display())).caused_by_io(error);
    }
    let message = match error.kind() {
        IoKind::NotFound if is_path(&command.program) && Path::new(&command.program).exists() => {
            return Error::new(format!("`{program}` cannot be run"))
                .caused_by_io(error)
                .hint("the interpreter its first line names does not exist");
        }
        IoKind::NotFound if is_path(&command.program) => format!("no program `{program}`"),
        IoKind::NotFound => {
            return Error::new(format!("no program `{program}` in PATH")).hint(format!("install `{program}`"));
        }
        IoKind::PermissionDenied => format!("no permission to run `{program}`"),
        IoKind::ArgumentListTooLong => format!("the arguments of `{program}` are too long"),
        _ => format!("start `{program}`"),
    };
    Error::new(message).caused_by_io(error)
}

fn is_path(program: &std::ffi::OsStr) -> bool {
    program.as_encoded_bytes().contains(&b'/')
}

fn wrong_with(dir: &Path) -> Option<&'static str> {
    match std::fs::metadata(dir) {
        Err(error) if error.kind() == IoKind::NotFound => Some("no directory"),
        Err(_) => Some("no access to the directory"),
        Ok(meta) if !meta.is_dir() => Some("not a directory:"),
        Ok(_) => access(dir, Access::EXEC_OK).is_err().then_some("no access to the directory"),
    }
}

trait CausedByIo {
    fn caused_by_io(self, error: &Io) -> Self;
}

impl CausedByIo for Error {
    fn caused_by_io(self, error: &Io) -> Self {
        self.caused_by(Error::new(error.to_string()))
    }
}
