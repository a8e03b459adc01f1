//! Why a command ended before it did anything.

use runbook_core::Error;

/// Why a command ended before it did anything.
pub(super) enum Stop {
    /// The arguments are wrong, or only help was wanted.
    Clap(clap::Error),
    /// An argument names something that there is not.
    Usage(Error),
    /// Something in the world is not as it must be.
    Refused(Error),
}

impl Stop {
    /// Says why, and gives the exit code.
    pub(super) fn tell(self) -> u8 {
        match self {
            Self::Clap(error) => {
                let _ = error.print();
                u8::try_from(error.exit_code()).unwrap_or(2)
            }
            Self::Usage(error) => tell(&error, 2),
            Self::Refused(error) => tell(&error, 3),
        }
    }
}

fn tell(error: &Error, code: u8) -> u8 {
    use std::io::Write as _;
    let text = format!("error: {error:?}\n");
    let _ = std::io::stderr().write_all(text.as_bytes());
    code
}

impl From<clap::Error> for Stop {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}
